"""The few C functions that pjsua2's Python wrapper lacks.

They are called in the library that the wrapper has loaded already, with pointers and numbers.
The structures are ``pjsip_module`` and the beginnings of ``pjsip_transaction``, ``pjsip_tx_data``
and ``pjsip_msg``, whose layouts are part of pjsip's public interface; all but the first are
checked before they are used.

Source: pjproject 2.17, pjsip/include/pjsip/sip_module.h, sip_endpoint.h, sip_transaction.h,
sip_transport.h and sip_msg.h; pjlib/include/pj/ioqueue.h.
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable
from typing import Any, Final

import pjsua2

log = logging.getLogger(__name__)

_OK: Final = 0
# After the dialogs (PJSIP_MOD_PRIORITY_UA_PROXY_LAYER, 32), before pjsua's own answer to
# OPTIONS (PJSIP_MOD_PRIORITY_APPLICATION, 64).
_PRIORITY: Final = 63
# Before the INVITE session, among what uses a dialog (PJSIP_MOD_PRIORITY_DIALOG_USAGE, 48).
_USAGE_PRIORITY: Final = 40
_CALLING: Final = 1  # PJSIP_TSX_STATE_CALLING
_TERMINATED: Final = 6  # PJSIP_TSX_STATE_TERMINATED
_ENDS_THE_CALL: Final = frozenset({408, 481})
"""Of a request inside a call, to the library (RFC 3261 section 12.2.1.2)."""
_ENDS_NOTHING: Final = 480
_WATCHED_MOST: Final = 1024
_RESPONSE: Final = 1  # PJSIP_RESPONSE_MSG
_OUR_FAULT: Final = 500
_TRY_LATER: Final = 503


class _PjString(ctypes.Structure):
    _fields_ = (("ptr", ctypes.c_char_p), ("slen", ctypes.c_ssize_t))


_ON_TRANSACTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
_ON_MESSAGE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)


class _PjModule(ctypes.Structure):
    _fields_ = (
        ("prev", ctypes.c_void_p),
        ("next", ctypes.c_void_p),
        ("name", _PjString),
        ("id", ctypes.c_int),
        ("priority", ctypes.c_int),
        ("load", ctypes.c_void_p),
        ("start", ctypes.c_void_p),
        ("stop", ctypes.c_void_p),
        ("unload", ctypes.c_void_p),
        ("on_rx_request", ctypes.c_void_p),
        ("on_rx_response", ctypes.c_void_p),
        ("on_tx_request", ctypes.c_void_p),
        ("on_tx_response", ctypes.c_void_p),
        ("on_tsx_state", ctypes.c_void_p),
    )


class _AnyString(ctypes.Structure):
    _fields_ = (("ptr", ctypes.c_void_p), ("slen", ctypes.c_ssize_t))


class _Method(ctypes.Structure):
    _fields_ = (("id", ctypes.c_int), ("name", _AnyString))


class _Transaction(ctypes.Structure):
    _fields_ = (
        ("pool", ctypes.c_void_p),
        ("tsx_user", ctypes.c_void_p),
        ("endpt", ctypes.c_void_p),
        ("terminating", ctypes.c_int),
        ("grp_lock", ctypes.c_void_p),
        ("chained_lock", ctypes.c_void_p),
        ("mutex_b", ctypes.c_void_p),
        ("obj_name", ctypes.c_char * 32),
        ("role", ctypes.c_int),
        ("method", _Method),
        ("cseq", ctypes.c_int32),
        ("transaction_key", _AnyString),
        ("transaction_key2", _AnyString),
        ("hashed_key", ctypes.c_uint32),
        ("hashed_key2", ctypes.c_uint32),
        ("branch", _AnyString),
        ("status_code", ctypes.c_int),
        ("status_text", _AnyString),
        ("state", ctypes.c_int),
    )


class _OpKey(ctypes.Structure):
    _fields_ = (
        ("internal", ctypes.c_void_p * 32),
        ("activesock_data", ctypes.c_void_p),
        ("user_data", ctypes.c_void_p),
        ("tdata", ctypes.c_void_p),
        ("token", ctypes.c_void_p),
        ("callback", ctypes.c_void_p),
    )


class _Outgoing(ctypes.Structure):
    _fields_ = (
        ("prev", ctypes.c_void_p),
        ("next", ctypes.c_void_p),
        ("pool", ctypes.c_void_p),
        ("obj_name", ctypes.c_char * 32),
        ("info", ctypes.c_void_p),
        ("rx_timestamp", ctypes.c_long * 2),
        ("mgr", ctypes.c_void_p),
        ("op_key", _OpKey),
        ("lock", ctypes.c_void_p),
        ("msg", ctypes.c_void_p),
    )


class _StatusLine(ctypes.Structure):
    _fields_ = (("code", ctypes.c_int), ("reason", _AnyString))


class _Response(ctypes.Structure):
    """``pjsip_msg``; ``uri`` is where a request's first line is longer."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("line", _StatusLine),
        ("uri", ctypes.c_void_p),
        ("headers", ctypes.c_void_p),
    )


def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(pjsua2._pjsua2.__file__)
    library.pjsua_get_pjsip_endpt.restype = ctypes.c_void_p
    library.pjsip_rx_data_get_info.restype = ctypes.c_char_p
    library.pjsip_rx_data_get_info.argtypes = (ctypes.c_void_p,)
    library.pjsip_endpt_register_module.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
    library.pjsip_endpt_respond_stateless.argtypes = (
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_void_p,
    )
    library.pjsip_endpt_create_response.argtypes = (
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.POINTER(ctypes.c_void_p),
    )
    library.pjsip_endpt_create_pool.restype = ctypes.c_void_p
    library.pjsip_endpt_create_pool.argtypes = (
        ctypes.c_void_p,
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.c_size_t,
    )
    library.pjsip_endpt_release_pool.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
    library.pjsip_retry_after_hdr_create.restype = ctypes.c_void_p
    library.pjsip_retry_after_hdr_create.argtypes = (ctypes.c_void_p, ctypes.c_int)
    library.pjsip_get_status_text.restype = ctypes.POINTER(_AnyString)
    library.pjsip_endpt_get_tpmgr.restype = ctypes.c_void_p
    library.pjsip_endpt_get_tpmgr.argtypes = (ctypes.c_void_p,)
    library.pjsip_tx_data_get_info.restype = ctypes.c_char_p
    library.pjsip_tx_data_get_info.argtypes = (ctypes.c_void_p,)
    library.pj_list_insert_before.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
    library.pjsip_tsx_get_dlg.restype = ctypes.c_void_p
    library.pjsip_tsx_get_dlg.argtypes = (ctypes.c_void_p,)
    library.pjsip_dlg_add_usage.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    library.pjsip_tsx_send_msg.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
    return library


try:
    _C: Final = _library()
except AttributeError as error:
    raise ImportError(f"this pjsua2 hides {error}; run make setup to build ours") from None


def silence_log() -> None:
    """Keep the library's own log, which prints SIP messages with numbers, off every stream."""
    _C.pj_log_set_level(0)


def compiled_calls() -> int:
    """Calls that the running endpoint takes: ``maxCalls``, cut to what was compiled in."""
    return int(_C.pjsua_call_get_max_count())


def calls_on() -> int:
    """Calls whose dialog lives, those that wait for the answer to our BYE included."""
    return int(_C.pjsua_call_get_count())


def answer_transaction(received: Any, transaction: Any, status: int) -> bool:
    """Answer a request inside a dialog that pjsua leaves unanswered.

    Args:
        received: ``SipRxData.pjRxData`` of the request.
        transaction: ``SipTransaction.pjTransaction`` that it opened.
        status: SIP status.

    Returns:
        Whether the response went out.
    """
    response = ctypes.c_void_p()
    made = _C.pjsip_endpt_create_response(
        _C.pjsua_get_pjsip_endpt(), int(received), status, None, ctypes.byref(response)
    )
    return bool(made == _OK and _C.pjsip_tsx_send_msg(int(transaction), response) == _OK)


def _refuse(received: int, retry_after_seconds: int) -> None:
    """Answer a request outside a transaction with 503."""
    endpoint = _C.pjsua_get_pjsip_endpt()
    pool = _C.pjsip_endpt_create_pool(endpoint, b"wegwijs-refusal", 512, 512)
    try:
        # A list of headers: its head has no content, and points to itself while it is empty.
        head = (ctypes.c_void_p * 8)()
        headers = ctypes.addressof(head)
        head[0] = head[1] = headers
        _C.pj_list_insert_before(
            headers, _C.pjsip_retry_after_hdr_create(pool, retry_after_seconds)
        )
        _C.pjsip_endpt_respond_stateless(endpoint, received, 503, None, headers, None)
    finally:
        _C.pjsip_endpt_release_pool(endpoint, pool)


class _Module:
    """A module of ours. Lives as long as the endpoint: the library keeps a pointer to it.

    Args:
        name: Unique in the endpoint.
        priority: Modules of lower numbers see what comes in before, what goes out after it.
        **callbacks: C functions by their field of ``pjsip_module``.
    """

    def __init__(self, name: bytes, priority: int, **callbacks: Any) -> None:
        self._name = name
        self._callbacks = callbacks
        self._module = _PjModule(
            name=_PjString(name, len(name)),
            id=-1,
            priority=priority,
            **{field: ctypes.cast(call, ctypes.c_void_p) for field, call in callbacks.items()},
        )

    def register(self) -> bool:
        """Hand the module to the endpoint; the endpoint's end unregisters it."""
        registered = _C.pjsip_endpt_register_module(
            _C.pjsua_get_pjsip_endpt(), ctypes.addressof(self._module)
        )
        return bool(registered == _OK)


class OptionsAnswer(_Module):
    """Answers OPTIONS outside a dialog with 503 while calls are not welcome.

    pjsua itself always says 200, so that a dispatcher would keep sending calls to a node that
    drains.

    Args:
        retry_after_seconds: When calls may be welcome again; None while they are.
    """

    def __init__(self, retry_after_seconds: Callable[[], int | None]) -> None:
        super().__init__(
            b"mod-wegwijs-options", _PRIORITY, on_rx_request=_ON_MESSAGE(self._on_request)
        )
        self._retry_after_seconds = retry_after_seconds

    def _on_request(self, received: int) -> int:
        try:
            seconds = self._retry_after_seconds()
            if seconds is None:
                return 0  # pjsua's answer lists what we allow and accept
            info = _C.pjsip_rx_data_get_info(received) or b""
            if b" OPTIONS/" not in info:
                return 0
            _refuse(received, seconds)
        except Exception as error:
            # Nothing may escape into C.
            log.error("answering OPTIONS failed", extra={"error": type(error).__name__})
            return 0
        return 1


class RefusalAnswer(_Module):
    """Makes the library's 500 for a new call 503 with Retry-After.

    The library answers so when it can open no ports for the sound, before we hear of the call; a
    dispatcher that gets 503 tries another node, and comes back. Used on the owner's thread.

    Args:
        retry_after_seconds: When the caller's side may try again.
    """

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(
            b"mod-wegwijs-refusal",
            _PRIORITY,
            on_rx_request=_ON_MESSAGE(self._on_request),
            on_tx_response=_ON_MESSAGE(self._on_response),
        )
        self._retry_after_seconds = retry_after_seconds
        self._is_new = False
        """Whether the library looks at a new INVITE just now."""
        self._changed = False

    def dealt_with(self, status: int = 0) -> int:
        """The library is done with the new INVITE; the status that its caller got."""
        changed, self._is_new, self._changed = self._changed, False, False
        return _TRY_LATER if changed and status == _OUR_FAULT else status

    def _on_request(self, received: int) -> int:
        # Requests inside a call do not come this far.
        info = _C.pjsip_rx_data_get_info(received) or b""
        self._is_new, self._changed = b" INVITE/" in info, False
        return 0

    def _on_response(self, address: int) -> int:
        try:
            if self._is_new and b" 500/INVITE/" in (_C.pjsip_tx_data_get_info(address) or b""):
                self._change(_Outgoing.from_address(address))
        except Exception as error:
            # Nothing may escape into C.
            log.error("a refusal could not be changed", extra={"error": type(error).__name__})
        return 0

    def _change(self, outgoing: _Outgoing) -> None:
        manager = _C.pjsip_endpt_get_tpmgr(_C.pjsua_get_pjsip_endpt())
        if outgoing.mgr != manager or not outgoing.msg:
            log.warning("this pjsua2 lays out messages otherwise: a refusal stays 500")
            return
        response = _Response.from_address(outgoing.msg)
        if (response.type, response.line.code) != (_RESPONSE, _OUR_FAULT):
            return
        retry_after = _C.pjsip_retry_after_hdr_create(outgoing.pool, self._retry_after_seconds)
        headers = ctypes.addressof(response) + _Response.headers.offset
        _C.pj_list_insert_before(headers, retry_after)
        response.line.reason = _C.pjsip_get_status_text(_TRY_LATER).contents
        response.line.code = _TRY_LATER
        self._changed = True


class ReferGuard(_Module):
    """Keeps the call when a REFER in it is answered with 408 or 481, or not at all.

    The library ends the whole call then, though only the transfer failed (RFC 5057 section 5.1):
    the caller may be there still. Here the outcome is changed to one that ends nothing, just
    before the library looks at it. Used on the owner's thread.
    """

    def __init__(self) -> None:
        super().__init__(
            b"mod-wegwijs-refer",
            _USAGE_PRIORITY,
            on_tsx_state=_ON_TRANSACTION(self._on_transaction),
        )
        self._watched: dict[int, int] = {}
        """CSeq of each REFER under way, by the address of its transaction."""
        self._changed = (0, 0)
        """Address and true status of the outcome that was changed last."""

    def watch(self, transaction: Any, cseq: int | None) -> None:
        """Look after a REFER that goes out just now.

        Args:
            transaction: ``SipTransaction.pjTransaction``.
            cseq: CSeq of the REFER.
        """
        address = int(transaction)
        # Addresses are used again.
        self._changed = (0, 0)
        begins = _Transaction.from_address(address)
        if (begins.obj_name[:3], begins.cseq, begins.state) != (b"tsx", cseq, _CALLING):
            log.warning("this pjsua2 lays out transactions otherwise: a lost REFER ends its call")
            return
        if len(self._watched) < _WATCHED_MOST:
            self._watched[address] = begins.cseq
            dialog = _C.pjsip_tsx_get_dlg(address)
            _C.pjsip_dlg_add_usage(dialog, ctypes.addressof(self._module), None)

    def true_status(self, transaction: Any, status: int) -> int:
        """What became of a REFER whose outcome shows as ``status``."""
        address, changed = self._changed
        return changed if (address, _ENDS_NOTHING) == (int(transaction), status) else status

    def _on_transaction(self, address: int, event: int) -> None:
        try:
            cseq = self._watched.get(address)
            if cseq is None:
                return
            transaction = _Transaction.from_address(address)
            if transaction.state >= _TERMINATED or transaction.cseq != cseq:
                del self._watched[address]
            if transaction.cseq == cseq and transaction.status_code in _ENDS_THE_CALL:
                self._changed = (address, transaction.status_code)
                transaction.status_code = _ENDS_NOTHING
        except Exception as error:
            # Nothing may escape into C.
            log.error("looking after a REFER failed", extra={"error": type(error).__name__})
