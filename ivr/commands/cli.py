"""The command line, ``wegwijs``: a contract that scripts are written against.

Exit codes: 0 done, 1 the thing asked about is not right, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from ivr.errors import ConfigErrors, WegwijsError

Command = Callable[[argparse.Namespace], int]

_UNWRITTEN: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    if getattr(options, "run", None) is None:
        parser.print_help()
        return 2
    command: Command = options.run
    try:
        code = command(options)
        if sys.stdout is not None:  # None without a descriptor 1
            sys.stdout.flush()
        return code
    except ConfigErrors as errors:
        for error in errors.errors:
            print(f"wegwijs: {error}", file=sys.stderr)
    except WegwijsError as error:
        print(f"wegwijs: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("wegwijs: interrupted", file=sys.stderr)
    except BrokenPipeError:
        # The reader of our output had enough.
        _end_output()
    except OSError as error:
        if error.errno not in _UNWRITTEN:
            raise
        _end_output()
        print(
            f"wegwijs: what was to be written cannot be ({error.strerror}); free some space there, "
            "or send the output elsewhere",
            file=sys.stderr,
        )
    return 1


def _end_output() -> None:
    """Let what waits for output go nowhere: Python would complain once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of every command."""
    parser = argparse.ArgumentParser(
        prog="wegwijs", description="Voice routing for public infolines."
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    demo = _command(commands, "demo", _demo, "one real SIP call against the embedded defaults")
    _speech(demo)
    demo.add_argument("--json", action="store_true", help="one JSON object")
    demo.add_argument("--svg", type=Path, metavar="FILE", help="write the timeline as a picture")

    for name, run, text in (
        ("serve", _serve, "run the service, supervised: a process that dies is started again"),
        ("phone", _phone, "run the phone process alone"),
    ):
        service = _command(commands, name, run, text)
        service.add_argument("--config", type=Path, required=True, metavar="FILE")
        _home(service)

    check = _command(
        commands, "check", _check, "find every mistake in a configuration, each with its remedy"
    )
    check.add_argument(
        "--config", type=Path, metavar="FILE", help="default: the example that Wegwijs carries"
    )
    _home(check)

    call = _command(commands, "call", _call, "place a test call to a running service")
    call.add_argument("uri", metavar="sip:URI")
    _speech(call)
    call.add_argument("--json", action="store_true", help="one JSON object")

    transcribe = _command(commands, "transcribe", _transcribe, "recordings to text")
    transcribe.add_argument("files", nargs="+", type=Path, metavar="FILE")
    transcribe.add_argument("--engine", default=None, help="default: the model's, else vosk")
    transcribe.add_argument(
        "--model", metavar="NAME|DIR", help="an installed model or a folder; default: embedded"
    )
    transcribe.add_argument("--json", action="store_true", help="one JSON object a line")
    _models_folder(transcribe)

    classify = _command(commands, "classify", _classify, "text to thema, one JSON object a line")
    classify.add_argument("text", nargs="*", metavar="TEXT", help="standard input when absent")
    classify.add_argument(
        "--jsonl",
        action="store_true",
        help='lines of standard input are JSON objects with "text" and perhaps "confidence"',
    )
    _catalogue(classify)
    _home(classify)

    evaluate = _command(commands, "evaluate", _evaluate, "measure the classifier on labelled text")
    evaluate.add_argument("--data", type=Path, required=True, metavar="FILE.tsv")
    evaluate.add_argument("--json", action="store_true", help="one JSON object")
    _catalogue(evaluate)
    _home(evaluate)

    train = _command(commands, "train", _train, "train a new version of the classifier")
    train.add_argument("--data", type=Path, metavar="DIR", help="default: the embedded data")
    train.add_argument("--out", type=Path, metavar="DIR", help="default: the home folder's models")
    train.add_argument("--seed", type=int, metavar="N")
    train.add_argument(
        "--embeddings", type=Path, metavar="DIR", help="sentence embedding model to learn from too"
    )
    _home(train)

    _models(commands)
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Command | None,
    text: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(run=run)
    return parser


def _catalogue(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--catalogue",
        type=Path,
        metavar="DIR",
        help="folder with catalogue.toml and products/, as [catalogue] names it; "
        "default: the embedded one",
    )


def _home(parser: argparse.ArgumentParser, *, inherits: bool = False) -> None:
    default = Path(os.environ.get("WEGWIJS_HOME", "var"))
    parser.add_argument(
        "--home",
        type=Path,
        default=argparse.SUPPRESS if inherits else default,
        metavar="DIR",
        help="folder for all state (default: WEGWIJS_HOME, else ./var)",
    )


def _models_folder(parser: argparse.ArgumentParser, *, inherits: bool = False) -> None:
    _home(parser, inherits=inherits)
    folder = os.environ.get("WEGWIJS_MODELS")
    default = None if folder is None else Path(folder)
    parser.add_argument(
        "--models",
        type=Path,
        default=argparse.SUPPRESS if inherits else default,
        metavar="DIR",
        help="folder of installed speech models (default: WEGWIJS_MODELS, else HOME/models/asr)",
    )


def _models(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    models = _command(commands, "models", _models_list, "models: of the classifier, and for speech")
    models.add_argument("--json", action="store_true", help="one JSON object a line")
    _manifest(models)
    _models_folder(models)
    # An action's options are those of "models" unless given again: both may stand before it.
    actions = models.add_subparsers(title="actions", metavar="ACTION")

    listed = _command(actions, "list", _models_list, "every model: embedded, installed, available")
    listed.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="one JSON object a line"
    )
    shown = _command(actions, "show", _models_show, "all that is known of a version or a model")
    shown.add_argument("version", metavar="NAME")
    for parser in (listed, shown):
        _manifest(parser, argparse.SUPPRESS)
        _models_folder(parser, inherits=True)

    promoted = _command(
        actions, "promote", _models_promote, "use this version of the classifier from the next turn"
    )
    promoted.add_argument("version", metavar="V")
    _home(promoted, inherits=True)
    _home(
        _command(actions, "rollback", _models_rollback, "use the version of before"), inherits=True
    )

    installed = _command(actions, "install", _models_install, "install a speech model")
    installed.add_argument("name", metavar="NAME", help="see wegwijs models list")
    installed.add_argument(
        "--from", dest="source", type=Path, metavar="PATH",
        help="take it from this archive or folder instead of downloading it",
    )  # fmt: skip
    installed.add_argument(
        "--mirror", metavar="URL", default=os.environ.get("WEGWIJS_MODELS_MIRROR"),
        help="download URL/NAME/FILE instead (default: WEGWIJS_MODELS_MIRROR)",
    )  # fmt: skip
    installed.add_argument(
        "--accept-licence", metavar="LICENCE", help="confirm a licence without being asked"
    )
    installed.add_argument(
        "--sha256", metavar="HEX", help="of the archive, verified by you, where none is published"
    )
    installed.add_argument(
        "--trust-first-download", action="store_true",
        help="take what comes where no SHA-256 is published, and record it",
    )  # fmt: skip
    installed.add_argument("--engine", help="of a model that no manifest knows")
    installed.add_argument("--licence", help="of a model that no manifest knows")
    installed.add_argument("--force", action="store_true", help="replace what is installed")
    _manifest(installed, argparse.SUPPRESS)
    _models_folder(installed, inherits=True)

    verified = _command(actions, "verify", _models_verify, "hash the files of speech models")
    verified.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    _models_folder(verified, inherits=True)
    removed = _command(actions, "remove", _models_remove, "delete an installed speech model")
    removed.add_argument("name", metavar="NAME")
    _models_folder(removed, inherits=True)


def _manifest(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    parser.add_argument(
        "--manifest",
        type=Path,
        default=default,
        metavar="FILE",
        help="further models, in the form of models/manifest.toml",
    )


def _speech(parser: argparse.ArgumentParser) -> None:
    spoken = parser.add_mutually_exclusive_group()
    spoken.add_argument("--say", metavar="TEXT", help="what the caller says, spoken by espeak-ng")
    spoken.add_argument("--audio", type=Path, metavar="FILE", help="what the caller says, recorded")
    parser.add_argument("--digits", metavar="D", help="keys pressed in the keuzemenu")


# Every command imports what it needs itself: `wegwijs classify` must not wait for pjsua2.


def _demo(options: argparse.Namespace) -> int:
    from ivr.demo.demo import run_demo

    return run_demo(
        say=options.say,
        audio=options.audio,
        digits=options.digits,
        json_output=options.json,
        svg=options.svg,
        home=None,
    )


def _call(options: argparse.Namespace) -> int:
    from ivr.demo.call import run_call

    return run_call(
        options.uri,
        audio=options.audio,
        say=options.say,
        digits=options.digits,
        json_output=options.json,
    )


def _phone(options: argparse.Namespace) -> int:
    # Before numpy is loaded: its threads would spin beside the audio core's 20 ms ticks.
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    from ivr.service.supervisor import phone_process

    return phone_process(options.config, options.home)


def _serve(options: argparse.Namespace) -> int:
    from ivr.service.supervisor import serve

    return serve(options.config, options.home)


def _check(options: argparse.Namespace) -> int:
    from ivr.commands.check import Weight, check
    from ivr.files.embedded import example_config
    from ivr.files.home import Home

    path = options.config if options.config is not None else example_config()
    found = check(path, Home(options.home))
    for finding in found:
        print(f"{finding.weight.value}: {finding.message}")
    mistakes = sum(finding.weight is Weight.MISTAKE for finding in found)
    if mistakes:
        print(f"{path}: {mistakes} mistake{'s' if mistakes > 1 else ''}")
        return 1
    print(f"{path}: no mistakes")
    return 0


def _transcribe(options: argparse.Namespace) -> int:
    from ivr.commands.text_commands import transcribe

    return transcribe(
        options.files,
        options.engine,
        options.model,
        _installed_models(options),
        json_output=options.json,
    )


def _classify(options: argparse.Namespace) -> int:
    from ivr.commands.text_commands import classify

    return classify(
        options.text, options.home, jsonl=options.jsonl, catalogue_dir=options.catalogue
    )


def _evaluate(options: argparse.Namespace) -> int:
    from ivr.commands.text_commands import evaluate

    return evaluate(
        options.data, options.home, json_output=options.json, catalogue_dir=options.catalogue
    )


def _train(options: argparse.Namespace) -> int:
    from ivr.commands.text_commands import train

    return train(
        options.data,
        options.out,
        options.home,
        options.seed,
        embeddings=options.embeddings,
    )


def _installed_models(options: argparse.Namespace) -> Path:
    from ivr.files.home import Home

    folder: Path | None = options.models
    return folder if folder is not None else Home(options.home).recognisers


def _models_list(options: argparse.Namespace) -> int:
    from ivr.commands.model_commands import models_list

    return models_list(
        options.home, _installed_models(options), options.manifest, json_output=options.json
    )


def _models_show(options: argparse.Namespace) -> int:
    from ivr.commands.model_commands import models_show

    return models_show(options.version, options.home, _installed_models(options), options.manifest)


def _models_promote(options: argparse.Namespace) -> int:
    from ivr.commands.model_commands import models_promote

    return models_promote(options.version, options.home)


def _models_rollback(options: argparse.Namespace) -> int:
    from ivr.commands.model_commands import models_rollback

    return models_rollback(options.home)


def _models_install(options: argparse.Namespace) -> int:
    from ivr.commands.model_commands import InstallOptions, models_install

    return models_install(
        options.name,
        _installed_models(options),
        InstallOptions(
            source=options.source,
            manifest=options.manifest,
            mirror=options.mirror,
            sha256=options.sha256,
            trust_first=options.trust_first_download,
            accept_licence=options.accept_licence,
            engine=options.engine,
            licence=options.licence,
            force=options.force,
        ),
    )


def _models_verify(options: argparse.Namespace) -> int:
    from ivr.commands.model_commands import models_verify

    return models_verify(options.names, _installed_models(options))


def _models_remove(options: argparse.Namespace) -> int:
    from ivr.commands.model_commands import models_remove

    return models_remove(options.name, _installed_models(options))


if __name__ == "__main__":
    sys.exit(main())
