"""The command line: `forgia`. Verbs are imported when called, so that --help starts in a tenth of a second."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from typing import Any

import click

import forgia_hpc
from forgia_hpc.cli.output import tell_error, wants_json
from forgia_hpc.errors import ExitCode, ForgiaError, InputError, Problem, refused_by_system

# verb → (module:command, one line)
VERBS = {
    "run": ("forgia_hpc.cli.submit:run", "Run a job here and watch it to its end."),
    "submit": ("forgia_hpc.cli.submit:submit", "Check, seal and submit a job."),
    "sweep": ("forgia_hpc.cli.sweep:sweep", "Many points of one job, submitted at once."),
    "results": ("forgia_hpc.cli.results:results", "What the points of a sweep reached."),
    "check": (
        "forgia_hpc.cli.check:check",
        "Whether a job is sound, here or cut off from all networks.",
    ),
    "status": ("forgia_hpc.cli.status:status", "Where runs stand."),
    "logs": ("forgia_hpc.cli.logs:logs", "What a run has written; -f follows it to its end."),
    "wait": ("forgia_hpc.cli.follow:wait", "Wait for runs to end; the exit code tells how."),
    "cancel": ("forgia_hpc.cli.follow:cancel", "Ask runs to end."),
    "resume": ("forgia_hpc.cli.follow:resume", "Start another attempt of a stopped or failed run."),
    "rerun": ("forgia_hpc.cli.housekeeping:rerun", "The same job once more, in a new run."),
    "diff": ("forgia_hpc.cli.compare:diff", "What differs between two runs."),
    "compare": ("forgia_hpc.cli.compare:compare", "What several runs reached, side by side."),
    "rm": ("forgia_hpc.cli.housekeeping:rm", "Remove ended runs."),
    "prune": ("forgia_hpc.cli.housekeeping:prune", "Free room; the last good checkpoint stays."),
    "report": ("forgia_hpc.cli.report:report", "A page and a table made from a run."),
    "config": ("forgia_hpc.cli.config:config", "The config of a job, before it is one."),
    "receipt": ("forgia_hpc.cli.receipt:receipt", "What runs cost and did."),
    "budget": ("forgia_hpc.cli.budget:budget", "What an account has, has spent and has promised."),
    "cluster": ("forgia_hpc.cli.cluster:cluster", "The machines we know."),
    "data": ("forgia_hpc.cli.data:data", "Datasets: make, check, look at."),
    "check-script": (
        "forgia_hpc.cli.check_script:check_script",
        "What is wrong with an sbatch script of your own.",
    ),
    "verify": (
        "forgia_hpc.cli.verify:verify",
        "The built-in solver against exact solutions and benchmarks.",
    ),
    "doctor": ("forgia_hpc.cli.doctor:doctor", "What is missing on this machine."),
    "completion": ("forgia_hpc.cli.config:completion", "Tab completion for your shell."),
}


class Verbs(click.Group):
    """A group whose members are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order of a job's life."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one verb."""
        if cmd_name not in VERBS:
            return None
        module, _, name = VERBS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing them."""
        with formatter.section("Verbs"):
            formatter.write_dl([(verb, line) for verb, (_, line) in VERBS.items()])


_EPILOG = """\b
Examples:
  forgia run train                                      the demo on this machine
  forgia submit train cluster=leonardo_booster --debug --dry-run
  forgia status
Exit codes: 0 done, 1 a defect of ours, 2 mend your input, 3 the job failed, 4 Slurm did not
answer, 5 seal broken, 6 stopped and resumable, 130 Ctrl-C."""


@click.group(cls=Verbs, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(forgia_hpc.__version__, prog_name="forgia")
def forgia() -> None:
    """HPC batch workloads: from a Hydra config to a sealed job to a result that can be trusted."""


def main() -> None:
    """Run the command line; expected errors are one line each, with their own exit code."""
    code: Any
    stdout = sys.stdout
    gc.set_threshold(
        100_000, 20, 20
    )  # imports alone woke the collector 150 times: a tenth of a second
    os.umask(0o027)  # a run may be read by the project's group, and by nobody else
    try:
        code = forgia(prog_name="forgia", standalone_mode=False)
    except ForgiaError as error:
        tell_error(error)
        code = error.exit_code
    except click.exceptions.Exit as error:
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        sys.stderr.write("\nforgia: interrupted\n")
        code = ExitCode.INTERRUPTED
    except click.ClickException as error:
        _tell_usage(error)
        code = ExitCode.INPUT
    except BrokenPipeError:
        sys.stderr.close()  # the reader went away (`| head`): nothing to tell, nobody to tell it
        code = ExitCode.OK
    except OSError as error:
        code = _tell_refusal(error)
    except SystemExit as error:
        # where the reader went away (`| head`), click wraps stdout and rich exits from its handler
        gone = sys.stdout is not stdout or isinstance(error.__context__, BrokenPipeError)
        code = ExitCode.OK if gone else error.code
    sys.exit(int(code or 0))


def _tell_usage(error: click.ClickException) -> None:
    """Say what is wrong with the words, as click does, or as the one object of `--json`."""
    if not wants_json():
        error.show()
        return
    ctx = getattr(error, "ctx", None)
    path = ctx.command_path if ctx else "forgia"
    limit = " ".join(error.format_message().split())
    tell_error(InputError(Problem(field=path, got=None, limit=limit, fix=f"{path} --help")))


def _tell_refusal(error: OSError) -> ExitCode:
    """Say in one line what the system refused, where the user can mend it; else it is a defect of ours."""
    refused = refused_by_system(error)
    if refused is None:
        raise error
    tell_error(refused)
    return refused.exit_code


if __name__ == "__main__":
    main()
