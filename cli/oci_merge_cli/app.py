"""The command line's signatures. What a command does is in the module of its name."""

from __future__ import annotations

import typer

from oci_merge import UsageError
from oci_merge_cli import options as o
from oci_merge_cli.connection import Connection
from oci_merge_cli.group import Command, Group, is_given
from oci_merge_cli.output import write

_CONNECTION = ("username", "password", "password_stdin", "plain_http", "insecure", "debug")

app = typer.Typer(
    cls=Group,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    subcommand_metavar="[COMMAND]",
)
push = typer.Typer(cls=Group)
app.add_typer(push, name="push", short_help="Push as manifest-tool does; not in this version yet.")

_MERGE_EXAMPLES = """
\b
Examples:
  oci-merge --template reg.example/app-ARCH:1.0 --target reg.example/app:1.0
  oci-merge --platforms linux/amd64,linux/arm/v7 \\
      --template reg.example/app-ARCHVARIANT:1.0 \\
      --target reg.example/app:1.0 --tags latest,1
  oci-merge --source reg.example/app:x86 --source reg.example/app:arm \\
      --target reg.example/app:1.0 --dry-run

\b
Exit status: 0 done, 1 failed, 2 wrong usage, 130 or 143 interrupted.
"""
_INSPECT_EXAMPLES = """
\b
Examples:
  oci-merge inspect reg.example/app:1.0
  oci-merge inspect --output json reg.example/app@sha256:4355a46b...

\b
Exit status: 0 done, 1 failed or wrong usage, 130 or 143 interrupted.
"""


@app.callback(invoke_without_command=True, epilog=_MERGE_EXAMPLES)
def merge(
    ctx: typer.Context,
    template: o.TemplateOption = None,
    platforms: o.PlatformsOption = None,
    arch_alias: o.ArchAliasOption = None,
    source: o.SourceOption = None,
    target: o.TargetOption = None,
    tags: o.TagsOption = None,
    annotation: o.AnnotationOption = None,
    format: o.FormatOption = "auto",
    platform_check: o.PlatformCheckOption = "warn",
    copy_layers: o.CopyLayersOption = False,
    dry_run: o.DryRunOption = False,
    output: o.MergeOutputOption = "text",
    digest_file: o.DigestFileOption = None,
    quiet: o.QuietOption = False,
    username: o.UsernameOption = None,
    password: o.PasswordOption = None,
    password_stdin: o.PasswordStdinOption = False,
    plain_http: o.PlainHttpOption = False,
    insecure: o.InsecureOption = False,
    source_plain_http: o.SourcePlainHttpOption = False,
    source_insecure: o.SourceInsecureOption = False,
    debug: o.DebugOption = False,
    version: o.VersionOption = False,
) -> None:
    """Join images of single architectures into one multi-architecture image, in their registry.

    No layer is downloaded unless --copy-layers says so, no daemon is needed, and no tag moves
    before everything else stands.
    """
    ctx.obj = Connection(
        username=username,
        password=password,
        password_stdin=password_stdin,
        plain_http=plain_http,
        insecure=insecure,
        debug=debug,
    )
    given = [name for name in ctx.params if is_given(ctx, name) and name not in _CONNECTION]
    if ctx.invoked_subcommand:
        _refuse(given, ctx.invoked_subcommand)
    elif not given:
        write(f"{ctx.get_help()}\n")
    else:
        from oci_merge_cli.merge import MergeOptions, run

        run(
            MergeOptions(
                target=target,
                template=template,
                sources=source or [],
                platforms=platforms or [],
                tags=tags or [],
                arch_aliases=arch_alias or [],
                annotations=annotation or [],
                format=format,
                platform_check=platform_check,
                copy_layers=copy_layers,
                source_plain_http=source_plain_http,
                source_insecure=source_insecure,
                dry_run=dry_run,
                output=output,
                digest_file=digest_file,
                quiet=quiet,
            ),
            ctx.obj,
        )


@app.command(cls=Command, epilog=_INSPECT_EXAMPLES)
def inspect(
    ctx: typer.Context,
    reference: o.ReferenceArgument,
    output: o.InspectOutputOption = "text",
    username: o.UsernameOption = None,
    password: o.PasswordOption = None,
    password_stdin: o.PasswordStdinOption = False,
    plain_http: o.PlainHttpOption = False,
    insecure: o.InsecureOption = False,
    debug: o.DebugOption = False,
) -> None:
    """Show what an image or an index in a registry is made of."""
    from oci_merge_cli.inspect import run

    connection = Connection(
        username=username,
        password=password,
        password_stdin=password_stdin,
        plain_http=plain_http,
        insecure=insecure,
        debug=debug,
    )
    run(reference, output, connection.after(ctx.obj))


@push.callback(invoke_without_command=True)
def show_push(ctx: typer.Context) -> None:
    """Push as manifest-tool does: from-args and from-spec are not in this version yet.

    Until then, oci-merge --template ... --target ... does what from-args does.
    """
    if not ctx.invoked_subcommand:
        write(f"{ctx.get_help()}\n")


def _refuse(given: list[str], command: str) -> None:
    """Refuse a merge's options before another command's word, where they would mean nothing.

    Raises:
        UsageError: there are some.
    """
    if given:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise UsageError(
            f"before {command} there are options of a merge: {options}",
            hint=f"leave them out, or write behind {command} those that it has",
        )
