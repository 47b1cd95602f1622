"""forgia budget: what an account has, has spent and has promised."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from forgia_hpc.cli.output import console, note, say, say_json
from forgia_hpc.cli.words import json_option
from forgia_hpc.errors import InputError, Problem

if TYPE_CHECKING:
    from forgia_hpc.jobs.balance import Balance
    from forgia_hpc.jobs.grant import Grant
    from forgia_hpc.jobs.payer import Account

_BAR = 40  # characters

_HELP = """\b
Examples:
  forgia budget
  forgia budget show AIFAC_L01 --json
  forgia budget set AIFAC_L01 --cluster leonardo_booster --total 40000 --from 2026-10-01 --to 2026-12-31
  forgia budget set AIFAC_L01 --cluster leonardo_booster --from-site --member rossi 0.4 --member bianchi 0.6"""


class Shown(click.Group):
    """A group whose member `show` may be left out: `forgia budget AIFAC_L01`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Take a word that is no member for an account."""
        if args and args[0] not in self.commands:
            return "show", self.commands["show"], args
        return super().resolve_command(ctx, args)


@click.group(cls=Shown, invoke_without_command=True, epilog=_HELP)
@click.pass_context
def budget(ctx: click.Context) -> None:
    """What an account has, has spent and has promised."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(show, account=None, as_json=False)


@budget.command(epilog="\b\nExamples:\n  forgia budget show\n  forgia budget show AIFAC_L01 --json")
@click.argument("account", required=False)
@json_option
def show(account: str | None, as_json: bool) -> None:
    """The balance: settled, in flight, committed, left; the month's share; every member."""
    from forgia_hpc.jobs.budget import counted, tidy

    found = [_opened(name) for name in _accounts(account)]
    for each in found:
        tidy(each)
        each.ledger.archive()
    balances = [counted(each) for each in found]
    if as_json:
        say_json("budget", {"accounts": [one.as_json() for one in balances]})
        return
    for one in balances:
        _print(one)


@budget.command("set", epilog=_HELP)
@click.argument("account")
@click.option("--cluster", "cluster_name", required=True, help="Where the account is charged.")
@click.option("--total", type=float, help="What was granted, in the cluster's unit.")
@click.option("--from", "start", metavar="YYYY-MM-DD", help="The first day of the grant.")
@click.option("--to", "end", metavar="YYYY-MM-DD", help="Its last day.")
@click.option(
    "--from-site", is_flag=True, help="Take all three from the site's own command (saldo)."
)
@click.option(
    "--member", "members", type=(str, float), multiple=True, metavar="USER SHARE",
    help="A member's share of it, e.g. rossi 0.4.",
)  # fmt: skip
@json_option
def set_grant(
    account: str, cluster_name: str, from_site: bool, as_json: bool, **words: Any
) -> None:
    """Write down what was granted, and whose share is how large."""
    from forgia_hpc.jobs.grant import read_grant, with_members, write_grant
    from forgia_hpc.slurm.cluster import load_cluster

    ledger = _ledger(account)
    cluster = load_cluster(cluster_name)
    if not cluster.enabled:
        limit, where = (
            f"disabled: {cluster.disabled_because}",
            f"slurm/clusters/{cluster.name}.yaml",
        )
        raise InputError(Problem(field="--cluster", got=cluster.name, limit=limit, where=where))
    grant = _of_site(account, cluster) if from_site else _of_words(account, cluster, words)
    before = read_grant(ledger.folder)
    grant = with_members(grant, dict(words["members"]) or (before.members if before else {}))
    ledger.prepare()
    write_grant(ledger.folder, grant)
    if as_json:
        say_json("budget", {"account": grant.account, "path": str(ledger.folder / "grant.yaml")})
    else:
        say(
            f"{grant.account}: {grant.total:.6g} {grant.unit} on {grant.cluster}, {grant.start} to {grant.end}"
        )
        for user, share in grant.members.items():
            say(f"  {user}: {share:.6g} of it")
        if before and before != grant:
            note(f"before: {before.total:.6g} {before.unit}, {before.start} to {before.end}")
        note(f"written to {ledger.folder / 'grant.yaml'}")


@budget.command(epilog="\b\nExample:\n  forgia budget release AIFAC_L01 17")
@click.argument("account")
@click.argument("slot", type=int)
@json_option
def release(account: str, slot: int, as_json: bool) -> None:
    """Close a hold by hand: of a submitter that died on a machine nobody can ask."""
    ledger = _ledger(account)
    stand, _ = ledger.all()
    hold = next((one for one in stand if one.slot == slot), None)
    if hold is None:
        limit = f"open are {', '.join(str(one.slot) for one in stand) or 'none'}"
        raise InputError(Problem(field="SLOT", got=slot, limit=limit, fix="forgia budget show"))
    ledger.close(hold, "closed by hand")
    if as_json:
        say_json("budget", {"closed": slot, "run": hold.run, "amount": hold.amount})
    else:
        say(f"closed hold {slot}: {hold.amount:.6g} {hold.unit} of {hold.run}")


def _ledger(account: str) -> Any:
    from forgia_hpc.jobs.payer import ledger_of

    if not account.strip():
        raise InputError(Problem(field="ACCOUNT", got=account, limit="a name is needed"))
    ledger = ledger_of(account)
    if ledger is None:
        limit = "a directory that the project's group can write is needed"
        fix = "export FORGIA_LEDGER=$WORK/forgia/ledger, or ledger: in ~/.config/forgia/config.yaml"
        raise InputError(Problem(field="FORGIA_LEDGER", got=None, limit=limit, fix=fix))
    return ledger


def _accounts(account: str | None) -> list[str]:
    """Return the account asked for, or all that have a grant."""
    from forgia_hpc.jobs.payer import ledger_root

    if account:
        return [account]
    root = _ledger("any").folder.parent if ledger_root() is None else ledger_root()
    found = sorted(path.parent.name for path in root.glob("*/grant.yaml")) if root else []
    if not found:
        limit, fix = "no account has a grant yet", "forgia budget set ACCOUNT …"
        raise InputError(Problem(field="FORGIA_LEDGER", got=str(root), limit=limit, fix=fix))
    return found


def _opened(name: str) -> Account:
    from forgia_hpc.jobs.grant import read_grant
    from forgia_hpc.jobs.payer import Account, look
    from forgia_hpc.slurm.cluster import load_cluster

    ledger = _ledger(name)
    grant = read_grant(ledger.folder)
    if grant is None:
        limit, fix = "it has no grant in this ledger", f"forgia budget set {name} …"
        raise InputError(
            Problem(field="ACCOUNT", got=name, limit=limit, where=str(ledger.folder), fix=fix)
        )
    cluster = load_cluster(grant.cluster)
    return Account(ledger=ledger, grant=grant, cluster=cluster, told=look(grant, cluster))


def _of_site(account: str, cluster: Any) -> Grant:
    from forgia_hpc.jobs.grant import of_statement, statement

    said = statement(cluster, account)
    if said is None:
        command = " ".join(cluster.accounting.balance_cmd) or "no command of the site is known"
        limit, fix = "it says nothing of this account here", "--total, --from and --to"
        raise InputError(Problem(field="--from-site", got=command, limit=limit, fix=fix))
    return of_statement(said, cluster, cluster.accounting.balance_cmd)


def _of_words(account: str, cluster: Any, words: dict[str, Any]) -> Grant:
    import datetime

    from forgia_hpc.jobs.grant import make_grant

    days = {}
    for key, word in (("from", words["start"]), ("to", words["end"])):
        try:
            days[key] = datetime.date.fromisoformat(word or "")
        except ValueError:
            days[key] = word
    unit = cluster.accounting.unit
    facts = {"account": account, "cluster": cluster.name, "total": words["total"], "unit": unit}
    return make_grant({**facts, **days, "source": "forgia budget set"}, "the command line")


def _print(one: Balance) -> None:
    from rich.table import Table

    grant, whole = one.grant, one.everybody
    say(
        f"{grant.account} on {grant.cluster}: {grant.total:,.6g} {grant.unit}, {grant.start} to {grant.end}"
    )
    if sys.stdout.isatty():
        _bar(one)
    table = Table("", "settled", "in flight", "committed", "left", "of", box=None, pad_edge=False)
    _row(table, "grant", whole, one.left, grant.total)
    left = one.month_share - one.month_used
    month = _cells(whole.month, whole.in_flight, whole.committed, left, one.month_share)
    table.add_row(f"this month, to {one.month_ends}", *month)
    for name in sorted({*one.members, *grant.members} - {""}):
        own, share = one.members.get(name), grant.members.get(name)
        limit = None if share is None else share * grant.total
        spent = own.spoken_for if own else 0.0
        _row(table, name, own, None if limit is None else limit - spent, limit)
    console().print(table)
    note(f"from {', '.join(one.sources)}")
    for line in one.missing:
        note(line)


def _row(table: Any, name: str, share: Any, left: float | None, total: float | None) -> None:
    sums = (share.settled, share.in_flight, share.committed) if share else (0.0, 0.0, 0.0)
    table.add_row(name, *_cells(*sums, left, total))


def _cells(*amounts: float | None) -> list[str]:
    return ["" if amount is None else f"{amount:,.1f}" for amount in amounts]


def _bar(one: Balance) -> None:
    """Draw the grant: settled, in flight, committed, left; the mark is the linear share up to today."""
    from rich.text import Text

    whole, total = one.everybody, one.grant.total
    line = Text()
    for amount, colour in (
        (whole.settled, "green"),
        (whole.in_flight, "cyan"),
        (whole.committed, "yellow"),
    ):
        line.append("█" * round(_BAR * min(1.0, amount / total)), colour)
    line.append("░" * max(0, _BAR - len(line)), "bright_black")
    line.append(f" {100 * whole.spoken_for / total:.0f} %")
    console().print(line)
