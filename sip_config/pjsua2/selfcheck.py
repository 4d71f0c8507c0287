"""Check that the pjsua2 which this interpreter imports can do what Wegwijs needs.

Prints one line and exits 0, or names what is missing and exits 1.
"""

import sys

NEEDED_CODECS = ("PCMA/8000", "PCMU/8000", "G722/16000", "opus/48000")
CALLS = 512


def missing() -> list[str]:
    """Return what this build lacks; empty when it is complete."""
    import pjsua2 as pj

    lacks: list[str] = []
    endpoint = pj.Endpoint()
    endpoint.libCreate()
    config = pj.EpConfig()
    config.uaConfig.maxCalls = CALLS
    config.uaConfig.threadCnt = 0
    config.uaConfig.mainThreadOnly = True
    config.logConfig.level = 0
    config.logConfig.consoleLevel = 0
    try:
        endpoint.libInit(config)
        endpoint.audDevManager().setNullDev()
        codecs = [codec.codecId for codec in endpoint.codecEnum2()]
        lacks += [f"codec {want}" for want in NEEDED_CODECS if not _has(codecs, want)]
        for name, kind in (
            ("UDP", pj.PJSIP_TRANSPORT_UDP),
            ("TCP", pj.PJSIP_TRANSPORT_TCP),
            ("TLS", pj.PJSIP_TRANSPORT_TLS),
        ):
            transport = pj.TransportConfig()
            transport.boundAddress = "127.0.0.1"
            transport.port = 0
            try:
                endpoint.transportCreate(kind, transport)
            except pj.Error as error:
                lacks.append(f"{name} transport ({error.reason})")
    finally:
        endpoint.libDestroy()
    return lacks


def _has(codecs: list[str], want: str) -> bool:
    return any(codec.startswith(want) for codec in codecs)


def main() -> int:
    """Run the check and say the outcome."""
    try:
        lacks = missing()
    except ImportError as error:
        print(f"pjsua2 cannot be imported: {error}", file=sys.stderr)
        return 1
    if lacks:
        print(f"pjsua2 lacks: {', '.join(lacks)}", file=sys.stderr)
        return 1
    print(f"pjsua2 is complete: {', '.join(NEEDED_CODECS)}; UDP, TCP, TLS; {CALLS} calls")
    return 0


if __name__ == "__main__":
    sys.exit(main())
