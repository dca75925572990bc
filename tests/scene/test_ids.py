from __future__ import annotations

import pytest
from moto.ec2.models import instances, vpcs

from firebreak.scene.ids import derived, given


def test_ids_are_given_for_the_moment_of_creation_only() -> None:
    """What draws ids is put back, also where creation fails."""
    before = vpcs.random_vpc_id, instances.random_instance_id

    def fail() -> None:
        with given(vpc="vpc-1", instance=None):
            assert "vpc-1" == vpcs.random_vpc_id()
            assert before[1] is instances.random_instance_id
            raise KeyError

    with pytest.raises(KeyError):
        fail()

    assert before == (vpcs.random_vpc_id, instances.random_instance_id)


def test_ids_of_our_own_last() -> None:
    """The same parts give the same id, others another one."""
    assert derived("vol", "a", "b") == derived("vol", "a", "b") != derived("vol", "a", "c")
    assert "vol-" + "0" * 17 <= derived("vol", "a") <= "vol-" + "f" * 17
