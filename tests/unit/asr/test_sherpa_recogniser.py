"""The sherpa-onnx engine on real models: our own network, and transducers in others' forms."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("sherpa_onnx", reason="the extra sherpa is not installed")

from asr.audio_files import read_speech
from asr.engines import load_engine
from asr.engines.sherpa_recogniser import SherpaEngine
from asr.engines.sherpa_words import UNMEASURED_CONFIDENCE
from asr.errors import EngineUnavailableError, ModelDamagedError
from asr.recogniser import Partial
from asr.transcribe import transcribe_pcm
from tests.unit.asr.sherpa_folders import SENTENCES, model_folders
from tests.unit.asr.speaking import say
from tests.unit.asr.tiny_onnx import (
    write_nemo_transducer,
    write_streaming_transducer,
    write_tokens,
)

# The first test that needs the models makes them: half a minute of work, more where others work.
pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module", params=["streaming", "offline"])
def engine(request: pytest.FixtureRequest) -> Iterator[SherpaEngine]:
    """Our network; loaded without trial, which has tests of its own."""
    made = SherpaEngine(model_folders()[request.param], threads=1, check=False)
    yield made
    made.close()


def _bursts(*stretches: tuple[float, float]) -> NDArray[np.int16]:
    """Noise of 6000 RMS from one second to another, quiet between."""
    rng = np.random.default_rng(1)
    audio = np.zeros(int(8000 * (stretches[-1][1] + 1.0)))
    for begin, end in stretches:
        some = slice(int(8000 * begin), int(8000 * end))
        audio[some] = rng.normal(0, 6000, some.stop - some.start)
    return np.clip(audio, -32768, 32767).astype(np.int16)


@pytest.mark.parametrize("sentence", SENTENCES)
def test_our_network_is_understood(engine: SherpaEngine, sentence: str, tmp_path: Path) -> None:
    """
    What the network learned is heard, word for word, at the time it was said.
    """
    spoken = say(sentence, "nl", tmp_path)

    transcript = transcribe_pcm(engine, spoken)

    assert sentence == transcript.text
    assert sentence.split() == [word.text for word in transcript.words]
    assert UNMEASURED_CONFIDENCE == pytest.approx(transcript.confidence)
    assert transcript.words[0].start_seconds < 0.8
    assert transcript.words[-1].start_seconds > 0.6 * len(spoken) / 8000


def test_words_have_the_same_times_in_both_forms(tmp_path: Path) -> None:
    """
    The delay of the streaming form and the frames of the other one are reckoned with.
    """
    spoken = say(SENTENCES[0], "nl", tmp_path)
    starts = []
    for name in ("streaming", "offline"):
        loaded = SherpaEngine(model_folders()[name], threads=1, check=False)
        transcript = transcribe_pcm(loaded, spoken)
        starts.append([word.start_seconds for word in transcript.words])
        loaded.close()

    assert starts[0] == pytest.approx(starts[1], abs=0.05)


@pytest.mark.parametrize("kind", ["white noise", "faint noise", "melody", "clipped hum", "offset"])
def test_nothing_is_invented(engine: SherpaEngine, kind: str) -> None:
    """
    Noise, music and a broken line are no words.
    """
    rng = np.random.default_rng(9)
    time = np.arange(24000) / 8000
    notes = np.repeat(rng.choice([262, 330, 392, 440, 523], 12), 2000)
    sounds = {
        "white noise": rng.normal(0, 3000, len(time)),
        "faint noise": rng.normal(0, 40, len(time)),
        "melody": 9000 * np.sin(2 * np.pi * notes * time),
        "clipped hum": 90000 * np.sin(2 * np.pi * 50 * time) + rng.normal(0, 300, len(time)),
        "offset": np.full(len(time), 12000.0),
    }
    pcm = np.clip(sounds[kind], -32768, 32767).astype(np.int16)

    assert "" == transcribe_pcm(engine, pcm).text


def test_partials_grow_and_stable_words_stay(tmp_path: Path) -> None:
    """
    While the caller speaks each guess begins with the stable words of the one before.
    """
    loaded = SherpaEngine(model_folders()["streaming"], threads=1, check=False)
    spoken = say(SENTENCES[1], "nl", tmp_path)
    recogniser = loaded.open()
    heard: list[Partial] = []
    for start in range(0, len(spoken), 160):
        partial = recogniser.accept(spoken[start : start + 160])
        if partial is not None:
            heard.append(partial)
    final = recogniser.finish()
    recogniser.close()
    loaded.close()

    assert 5 <= len(heard)
    assert 3 <= len(heard[-1].stable_text.split())
    texts = [*(partial.text for partial in heard[1:]), final.text]
    for partial, following in zip(heard, texts, strict=True):
        assert following.startswith(partial.stable_text)
        assert partial.text.split() == [word.text for word in partial.words]


def test_a_minute_of_speech_is_understood(engine: SherpaEngine, tmp_path: Path) -> None:
    """
    The same sentence over and over for more than a minute: read in pieces, nothing lost at a cut.
    """
    once = np.concatenate([say(SENTENCES[0], "nl", tmp_path), np.zeros(4000, np.int16)])
    times = 70 * 8000 // len(once) + 1

    transcript = transcribe_pcm(engine, np.tile(once, times))

    assert " ".join([SENTENCES[0]] * times) == transcript.text
    starts = [word.start_seconds for word in transcript.words]
    assert sorted(starts) == starts
    assert transcript.words[-1].end_seconds <= times * len(once) / 8000


def test_callers_at_once_do_not_disturb_each_other(engine: SherpaEngine, tmp_path: Path) -> None:
    """
    Eight recognisers, opened and used in threads of their own, hear what one alone hears.
    """
    spoken = [say(sentence, "nl", tmp_path) for sentence in SENTENCES]
    heard: dict[int, str] = {}

    def call(number: int) -> None:
        heard[number] = transcribe_pcm(engine, spoken[number % len(spoken)]).text

    threads = [Thread(target=call, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=300)

    wanted = {number: SENTENCES[number % len(SENTENCES)] for number in range(8)}
    assert wanted == heard


def test_transducer_in_the_form_of_parakeet(tmp_path: Path) -> None:
    """
    Encoder, decoder and joiner of NeMo: words of several tokens, with probabilities of their own.
    """
    write_nemo_transducer(tmp_path)
    loaded = load_engine("sherpa", tmp_path)

    transcript = transcribe_pcm(loaded, _bursts((0.8, 2.0)))

    assert loaded.capabilities.word_confidence
    assert not loaded.capabilities.streaming
    assert 16000 == loaded.capabilities.sample_rate_hz
    assert "goeden dag" == " ".join(transcript.text.split()[:2])
    # Five tokens, the wanted one at 3 and blank out of the question: e^3 / (e^3 + 3).
    assert transcript.confidence == pytest.approx(0.87, abs=0.02)
    assert 0.6 <= transcript.words[0].start_seconds <= 1.2
    loaded.close()


def test_streaming_transducer(tmp_path: Path) -> None:
    """
    A streaming transducer gives partials with probabilities, and is silent in quiet.
    """
    write_streaming_transducer(tmp_path)
    loaded = load_engine("sherpa", tmp_path)
    recogniser = loaded.open()
    pcm = _bursts((0.8, 2.0))
    partials = [recogniser.accept(pcm[start : start + 160]) for start in range(0, len(pcm), 160)]
    transcript = recogniser.finish()
    loaded.close()

    assert not any(partial is not None and partial.text for partial in partials[:35])
    assert any(partial is not None and partial.text for partial in partials[:90])
    assert transcript.text.startswith("goeden dag goeden dag")
    assert transcript.confidence == pytest.approx(0.87, abs=0.02)
    assert 0.6 <= transcript.words[0].start_seconds <= 1.1
    assert 2.3 >= transcript.words[-1].end_seconds


def test_model_that_finds_the_language_by_itself_says_so(tmp_path: Path) -> None:
    """
    Tokens for several languages mean that the language cannot be fixed.
    """
    write_nemo_transducer(tmp_path)
    languages = []
    for tags in (("<unk>", "▁dag"), ("<|nl|>", "<|fr|>")):
        write_tokens(tmp_path / "tokens.txt", (tags[0], "▁goe", "den", tags[1], "<blk>"))
        loaded = SherpaEngine(tmp_path, threads=1, check=False)
        languages.append(loaded.capabilities.language)
        loaded.close()

    assert ["nl", "mul"] == languages


def _foreign_joiner(folder: Path) -> None:
    shutil.copyfile(folder / "decoder.int8.onnx", folder / "joiner.int8.onnx")


def _without_metadata(folder: Path) -> None:
    import onnx

    path = folder / "encoder.int8.onnx"
    model = onnx.load(str(path))
    kept = [prop for prop in model.metadata_props if prop.key != "pred_hidden"]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    onnx.save(model, str(path))


def _unknown_operator(folder: Path) -> None:
    import onnx

    path = folder / "encoder.int8.onnx"
    model = onnx.load(str(path))
    model.graph.node[0].op_type = "NoSuchOperator"
    onnx.save(model, str(path))


@pytest.mark.parametrize("damage", [_foreign_joiner, _without_metadata, _unknown_operator])
def test_model_that_would_end_the_process_is_an_error(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    """
    What only sherpa-onnx finds, it finds in a process of its own; this one goes on.
    """
    write_nemo_transducer(tmp_path)
    damage(tmp_path)

    with pytest.raises(ModelDamagedError, match="wegwijs models install") as raised:
        load_engine("sherpa", tmp_path)

    assert re.search("sherpa-onnx (does not load it|crashes on it)", str(raised.value))


def test_engine_without_folder_says_how_to_get_one() -> None:
    """
    Wegwijs carries no model for this engine.
    """
    with pytest.raises(EngineUnavailableError, match="wegwijs models install"):
        load_engine("sherpa")


_COUNT_THREADS = """
import sys
from pathlib import Path
import numpy as np
from asr.engines.sherpa_recogniser import SherpaEngine
from asr.transcribe import transcribe_pcm

def threads():
    return len(list(Path("/proc/self/task").iterdir()))

noise = np.random.default_rng(1).normal(0, 3000, 16000).astype(np.int16)
before = threads()
engine = SherpaEngine(Path(sys.argv[1]), threads=int(sys.argv[2]), check=False)
recognisers = [engine.open() for _ in range(12)]
for recogniser in recognisers:
    recogniser.accept(noise)
    recogniser.finish()
print(threads() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts threads in Linux's /proc")
def test_threads_are_bounded(tmp_path: Path) -> None:
    """
    Twelve recognisers share the threads of their model: one more for each of its three parts.
    """
    write_streaming_transducer(tmp_path)
    started = []
    for threads in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", _COUNT_THREADS, str(tmp_path), threads],
            check=True, capture_output=True, text=True, timeout=200,
            # NumPy's and SciPy's own threads are not counted: they start with their first use.
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        started.append(int(done.stdout))

    assert 0 == started[0]
    assert started[1] <= 3


def test_command_line_transcribes_with_it(tmp_path: Path) -> None:
    """
    ``wegwijs transcribe --engine sherpa --model DIR FILE`` prints what was said.
    """
    folder = model_folders()["streaming"]
    say(SENTENCES[0], "nl", tmp_path)
    command = ["transcribe", "--engine", "sherpa", "--model", str(folder), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "ivr", *command, str(tmp_path / "said.wav")],
        check=False, capture_output=True, text=True, timeout=400,
    )  # fmt: skip

    assert 0 == done.returncode, done.stderr
    told = json.loads(done.stdout)
    assert SENTENCES[0] == told["text"]
    assert len(read_speech(tmp_path / "said.wav")) / 8000 == pytest.approx(
        told["audio_seconds"], abs=0.01
    )
