"""What the demo's user agents share: settings, JSON lines, the pjsua2 thread, sound."""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from ivr.audio.frames import FRAME_SAMPLES
from ivr.ports.audio import SAMPLE_RATE_HZ
from ivr.sip.settings import SipSettings, Srtp, TlsFiles

_say_lock = threading.Lock()


def emit(event: str, **fields: object) -> None:
    """Write one JSON line: ``event``, the wall clock, and ``fields``."""
    line = json.dumps({"event": event, "time": round(time.time(), 3), **fields})
    with _say_lock:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def read_commands(
    handle: Callable[[dict[str, Any]], None], at_end: Callable[[], None] = lambda: None
) -> None:
    """Call ``handle`` for each JSON line on standard input, on a thread of its own."""

    def read() -> None:
        for line in sys.stdin:
            try:
                command = json.loads(line)
            except ValueError:
                emit("error", text="a command is not JSON")
                continue
            if isinstance(command, dict):
                handle(command)
            else:
                emit("error", text="a command is not a JSON object")
        at_end()

    threading.Thread(target=read, name="commands", daemon=True).start()


def add_sip_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that :func:`sip_settings` reads."""
    parser.add_argument("--bind", default="127.0.0.1", metavar="ADDRESS")
    parser.add_argument("--port", type=int, default=0, help="UDP and TCP port; 0: any free one")
    parser.add_argument("--tls-port", type=int, help="TLS port; 0: any free one")
    parser.add_argument("--tls-certificate", type=Path, metavar="PEM")
    parser.add_argument("--tls-key", type=Path, metavar="PEM")
    parser.add_argument("--tls-authorities", type=Path, metavar="PEM")
    parser.add_argument("--srtp", choices=[str(word) for word in Srtp], default=str(Srtp.OFF))
    parser.add_argument("--codecs", default="PCMA,PCMU,G722,opus")


def sip_settings(options: argparse.Namespace, *, max_calls: int) -> SipSettings:
    """Turn the options of :func:`add_sip_options` into settings."""
    tls = None
    if options.tls_certificate is not None and options.tls_key is not None:
        tls = TlsFiles(
            certificate=options.tls_certificate,
            key=options.tls_key,
            authorities=options.tls_authorities,
            verify_peer=options.tls_authorities is not None,
        )
    # Agents on one machine start at different ports; a taken one is skipped by the library.
    first = 30_000 + os.getpid() % 280 * 100
    return SipSettings(
        bind_address=options.bind,
        udp_port=options.port,
        tcp_port=options.port,
        tls_port=options.tls_port,
        tls=tls,
        srtp=Srtp(options.srtp),
        rtp_first_port=first,
        rtp_last_port=first + 999,
        codecs=tuple(options.codecs.split(",")),
        max_calls=max_calls,
        user_agent="Wegwijs demo",
    )


def load_speech(path: Path) -> NDArray[np.int16]:
    """Read a sound file as 8 kHz mono.

    Returns:
        Shape ``(n,)``.

    Raises:
        ValueError: The file is missing or is no sound.
    """
    try:
        samples, rate = soundfile.read(path, dtype="float64", always_2d=True)
    except (soundfile.SoundFileError, OSError, RuntimeError):
        raise ValueError(f"{path} is not a sound file; give a WAV or FLAC file") from None
    mono = samples.mean(axis=1)
    if rate != SAMPLE_RATE_HZ:
        # Here, because it takes longer to load than all the rest of an agent.
        from scipy.signal import resample_poly

        mono = resample_poly(mono, SAMPLE_RATE_HZ, rate)
    speech: NDArray[np.int16] = np.clip(mono * 32767, -32768, 32767).astype(np.int16)
    return speech


def frames_of(samples: NDArray[np.int16]) -> list[bytes]:
    """Cut samples into frames of 20 ms, the last one filled with silence."""
    padded = np.pad(samples, (0, -len(samples) % FRAME_SAMPLES))
    return [bytes(row) for row in padded.reshape(-1, FRAME_SAMPLES).astype("<i2")]


def tones(
    frequencies: tuple[float, ...], seconds: float, amplitude: float = 6000.0
) -> NDArray[np.int16]:
    """The sum of some tones.

    Args:
        frequencies: In Hz; none is silence.
        seconds: How long.
        amplitude: Of each tone; full scale is 32767.

    Returns:
        Shape ``(seconds * 8000,)``.
    """
    at = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    mixed = sum(amplitude * np.sin(2 * np.pi * frequency * at) for frequency in frequencies)
    return np.asarray(mixed, dtype=np.int16)
