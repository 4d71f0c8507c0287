"""Makes the embedded recordings: ``python -m ivr.prompts.make`` (needs espeak-ng).

``--check`` instead verifies, without espeak-ng, that recordings and texts agree.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import sys
from pathlib import Path

import soundfile

from ivr.errors import PromptError
from ivr.ports.audio import SAMPLE_RATE_HZ
from ivr.prompts import audio
from ivr.prompts.texts import RECORDINGS, Snippet, embedded_texts
from ivr.prompts.tts import EspeakNg, Speaker

_MANIFEST = "manifest.json"
_AGAIN = "run: python -m ivr.prompts.make"


def embedded_snippets() -> dict[str, Snippet]:
    """Every snippet that is recorded in the package."""
    return embedded_texts().fill()


def embedded_voice() -> EspeakNg:
    """The voice of the embedded recordings, for what they do not say."""
    texts = embedded_texts()
    return EspeakNg(texts.voice, words_per_minute=texts.words_per_minute, pitch=texts.pitch)


def make(folder: Path, voice: Speaker) -> None:
    """Write every recording as A-law (half the size of PCM, and what most trunks carry).

    Raises:
        PromptError: The voice is missing or broken, or the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    entries: dict[str, dict[str, str]] = {}
    for name, snippet in sorted(embedded_snippets().items()):
        speech = audio.prepare(*voice.speak(snippet.text))
        wav = io.BytesIO()
        soundfile.write(wav, speech, SAMPLE_RATE_HZ, format="WAV", subtype="ALAW")
        (folder / f"{name}.wav").write_bytes(wav.getvalue())
        entries[name] = {
            "text_sha256": snippet.text_sha256,
            "wav_sha256": hashlib.sha256(wav.getvalue()).hexdigest(),
        }
    for path in folder.glob("*.wav"):
        if path.stem not in entries:
            path.unlink()
    manifest = {"voice": voice.identity, "snippets": entries}
    (folder / _MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def disagreements(folder: Path) -> list[str]:
    """What is missing, stale, damaged or superfluous in ``folder``, one line each."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        entries = dict(manifest["snippets"])
    except (OSError, ValueError, KeyError, TypeError):
        return [f"{folder / _MANIFEST}: missing or damaged; {_AGAIN}"]
    found = []
    snippets = embedded_snippets()
    for name, snippet in snippets.items():
        path = folder / f"{name}.wav"
        entry = entries.get(name)
        if entry is None or not path.is_file():
            found.append(f"{path}: missing; {_AGAIN}")
        elif entry["text_sha256"] != snippet.text_sha256:
            found.append(f"{path}: says other words than texts.toml; {_AGAIN}")
        elif entry["wav_sha256"] != hashlib.sha256(path.read_bytes()).hexdigest():
            found.append(f"{path}: differs from its manifest; {_AGAIN}")
    for path in sorted(folder.glob("*.wav")):
        if path.stem not in snippets:
            found.append(f"{path}: no text has this name; {_AGAIN}")
    return found


def main(arguments: list[str] | None = None) -> int:
    """Command line; 1 when recordings and texts disagree or the voice is missing."""
    parser = argparse.ArgumentParser(prog="python -m ivr.prompts.make", description=__doc__)
    parser.add_argument("--check", action="store_true", help="verify instead of making")
    parser.add_argument("--out", type=Path, default=RECORDINGS, help="folder of the recordings")
    options = parser.parse_args(arguments)
    if not options.check:
        try:
            make(options.out, embedded_voice())
        except PromptError as error:
            print(error, file=sys.stderr)
            return 1
    found = disagreements(options.out)
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
