"""A machine without a GPU gets PyTorch without three gigabytes of CUDA, where the index has it."""

import pytest

from sip_config.setup.torch_choice import ANY, choose, newest_cpu_build

LISTING = """\
torch (2.15.0)
Available versions: 2.15.0, 2.14.1, 2.9.1+cpu, 2.13.0+cpu, 2.13.0, 2.12.0+cu130, 1.13.1+cpu
  INSTALLED: 2.13.0+cpu
  LATEST:    2.15.0
"""


def test_newest_cpu_build_is_by_number_not_by_letter() -> None:
    """
    2.13 is newer than 2.9; other local tags are not CPU builds.
    """
    assert "2.13.0+cpu" == newest_cpu_build(LISTING)


@pytest.mark.parametrize(
    ("listing", "has_gpu", "machine", "expected"),
    [
        (LISTING, False, "x86_64", "torch==2.13.0+cpu"),
        (LISTING, True, "x86_64", ANY),
        (LISTING, False, "aarch64", ANY),
        ("Available versions: 2.15.0, 2.14.1", False, "x86_64", ANY),
        ("Available versions: 2.15.0, 1.13.1+cpu", False, "x86_64", ANY),
        ("", False, "x86_64", ANY),
    ],
)
def test_choice_depends_on_machine_and_index(
    listing: str, has_gpu: bool, machine: str, expected: str
) -> None:
    """
    CUDA where there is a GPU; a CPU build where the index has a recent one; else the plain build.
    """
    assert expected == choose(listing, has_gpu=has_gpu, machine=machine)
