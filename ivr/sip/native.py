"""The few C functions that pjsua2's Python wrapper lacks.

They are called in the library that the wrapper has loaded already, with pointers and numbers
only; the one structure is ``pjsip_module``, whose layout is part of pjsip's public interface.

Source: pjproject 2.17, pjsip/include/pjsip/sip_module.h and sip_endpoint.h.
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


class _PjString(ctypes.Structure):
    _fields_ = (("ptr", ctypes.c_char_p), ("slen", ctypes.c_ssize_t))


_ON_REQUEST = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)


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
        ("on_rx_request", _ON_REQUEST),
        ("on_rx_response", ctypes.c_void_p),
        ("on_tx_request", ctypes.c_void_p),
        ("on_tx_response", ctypes.c_void_p),
        ("on_tsx_state", ctypes.c_void_p),
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
    library.pj_list_insert_before.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
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


class OptionsAnswer:
    """Answers OPTIONS outside a dialog with 503 while calls are not welcome.

    pjsua itself always says 200, so that a dispatcher would keep sending calls to a node that
    drains. Lives as long as the endpoint: the library keeps a pointer to it.

    Args:
        retry_after_seconds: When calls may be welcome again; None while they are.
    """

    def __init__(self, retry_after_seconds: Callable[[], int | None]) -> None:
        self._retry_after_seconds = retry_after_seconds
        self._name = b"mod-wegwijs-options"
        self._callback = _ON_REQUEST(self._on_request)
        self._module = _PjModule(
            name=_PjString(self._name, len(self._name)),
            id=-1,
            priority=_PRIORITY,
            on_rx_request=self._callback,
        )

    def register(self) -> bool:
        """Hand the module to the endpoint; the endpoint's end unregisters it."""
        registered = _C.pjsip_endpt_register_module(
            _C.pjsua_get_pjsip_endpt(), ctypes.addressof(self._module)
        )
        return bool(registered == _OK)

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
