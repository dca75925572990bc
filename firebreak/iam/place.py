"""Where policies hold: what the ARNs in them are made of."""

from __future__ import annotations

from dataclasses import dataclass

ANYWHERE = "*"


@dataclass(frozen=True, slots=True)
class Place:
    """Hold partition, account, region and stage; `*` leaves one open."""

    partition: str
    account: str
    region: str
    stage: str

    def filled(self, arn: str) -> str:
        """Return an ARN format, or a name in one, with what is known of the place."""
        return arn.format(
            partition=self.partition, account=self.account, region=self.region, stage=self.stage
        )


def pseudo(stage: str) -> Place:
    """Return the place that CloudFormation knows when it makes a stack.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/pseudo-parameter-reference.html
    """
    return Place("${AWS::Partition}", "${AWS::AccountId}", "${AWS::Region}", stage)
