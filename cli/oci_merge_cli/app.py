"""The command line's signatures. What a command does is in the module of its name."""

from __future__ import annotations

import typer

from oci_merge import UsageError
from oci_merge_cli.compat.groups import Command, Group, is_given, option_of, require
from oci_merge_cli.options import declarations as o
from oci_merge_cli.options import network as n
from oci_merge_cli.options.connection import NAMES as CONNECTION
from oci_merge_cli.options.connection import Connection
from oci_merge_cli.output.stdout import write

SHARED_OPTIONS = frozenset(option_of(name) for name in (*CONNECTION, "type"))
"""The options of groups that may also stand behind the commands of the group."""

app = typer.Typer(
    cls=Group,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    subcommand_metavar="[COMMAND]",
)
push = typer.Typer(cls=Group, subcommand_metavar="COMMAND")
app.add_typer(push, name="push", short_help="Join images as manifest-tool does.")

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
  oci-merge inspect --raw --expand-config reg.example/app-amd64:1.0

\b
Exit status: 0 done, 1 failed or wrong usage, 130 or 143 interrupted.
"""
_PUSH_STATUS = """
\b
Exit status: 0 done, 1 failed or wrong usage, 3 no such command, 130 or 143 interrupted.
"""
_FROM_ARGS_EXAMPLES = f"""
\b
Examples:
  oci-merge push from-args --platforms linux/amd64,linux/arm/v7 \\
      --template reg.example/app-ARCHVARIANT:1.0 \\
      --target reg.example/app:1.0 --tags latest,1
  oci-merge push --type oci from-args --platforms linux/amd64 \\
      --template reg.example/app-ARCH:1.0 \\
      --target reg.example/app:1.0 --annotations key=value
{_PUSH_STATUS}"""
_FROM_SPEC_EXAMPLES = f"""
\b
A spec:
  image: reg.example/app:1.0
  tags: [latest, "1"]
  annotations: {{key: value}}
  manifests:
    - image: reg.example/app-amd64:1.0
    - image: reg.example/app-armv7:1.0
      platform: {{os: linux, architecture: arm, variant: v7}}

\b
Only image and manifests have to be there. A platform may also have osversion and osfeatures.
{_PUSH_STATUS}"""


_CREDENTIALS_EXAMPLES = """
\b
Examples:
  oci-merge credentials reg.example/app:1.0
  oci-merge credentials --output json reg.example/app:1.0

\b
Exit status: 0 done, 1 a source that cannot be read, or wrong usage, 130 or 143 interrupted.
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
    docker_cfg: o.DockerCfgOption = None,
    plain_http: o.PlainHttpOption = False,
    insecure: o.InsecureOption = False,
    ca_file: n.CaFileOption = None,
    client_cert: n.ClientCertOption = None,
    client_key: n.ClientKeyOption = None,
    retries: n.RetriesOption = None,
    timeout: n.TimeoutOption = None,
    deadline: n.DeadlineOption = None,
    rate: n.RateOption = None,
    source_plain_http: o.SourcePlainHttpOption = False,
    source_insecure: o.SourceInsecureOption = False,
    debug: o.DebugOption = False,
    version: o.VersionOption = False,
) -> None:
    """Join images of single architectures into one multi-architecture image, in their registry.

    No layer is downloaded unless --copy-layers says so, no daemon is needed, and no tag moves
    before everything else stands.
    """
    ctx.obj = _connection(ctx)
    given = [name for name in ctx.params if is_given(ctx, name) and name not in CONNECTION]
    if ctx.invoked_subcommand:
        _refuse(given, ctx.invoked_subcommand)
    elif not given:
        write(f"{ctx.get_help()}\n")
    else:
        from oci_merge_cli.commands.merge import MergeOptions, run

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
    raw: o.RawOption = False,
    expand_config: o.ExpandConfigOption = False,
    output: o.InspectOutputOption = "text",
    username: o.UsernameOption = None,
    password: o.PasswordOption = None,
    password_stdin: o.PasswordStdinOption = False,
    docker_cfg: o.DockerCfgOption = None,
    plain_http: o.PlainHttpOption = False,
    insecure: o.InsecureOption = False,
    ca_file: n.CaFileOption = None,
    client_cert: n.ClientCertOption = None,
    client_key: n.ClientKeyOption = None,
    retries: n.RetriesOption = None,
    timeout: n.TimeoutOption = None,
    deadline: n.DeadlineOption = None,
    rate: n.RateOption = None,
    debug: o.DebugOption = False,
) -> None:
    """Show what an image or an index in a registry is made of."""
    from oci_merge_cli.commands.inspect import InspectOptions, run

    options = InspectOptions(output=output, raw=raw, expand_config=expand_config)
    run(reference, options, _connection(ctx).after(ctx.obj))


@app.command(cls=Command, epilog=_CREDENTIALS_EXAMPLES)
def credentials(
    ctx: typer.Context,
    reference: o.CredentialsReferenceArgument,
    output: o.CredentialsOutputOption = "text",
    username: o.UsernameOption = None,
    password: o.PasswordOption = None,
    password_stdin: o.PasswordStdinOption = False,
    docker_cfg: o.DockerCfgOption = None,
    plain_http: o.PlainHttpOption = False,
    insecure: o.InsecureOption = False,
    ca_file: n.CaFileOption = None,
    client_cert: n.ClientCertOption = None,
    client_key: n.ClientKeyOption = None,
    retries: n.RetriesOption = None,
    timeout: n.TimeoutOption = None,
    deadline: n.DeadlineOption = None,
    rate: n.RateOption = None,
    debug: o.DebugOption = False,
) -> None:
    """Show which credential would be used for an image, and why not another."""
    from oci_merge_cli.commands.credentials import run

    run(reference, output, _connection(ctx).after(ctx.obj))


@push.callback(invoke_without_command=True, epilog=_PUSH_STATUS)
def show_push(ctx: typer.Context, type: o.TypeOption = "docker") -> None:
    """Join images as manifest-tool does, into the same index byte for byte.

    Platforms are published as they are written, and the kind of index is what --type says,
    whatever kind the images are of.
    """
    if not ctx.invoked_subcommand:
        write(f"{ctx.get_help()}\n")


@push.command("from-args", cls=Command, epilog=_FROM_ARGS_EXAMPLES)
def from_args(
    ctx: typer.Context,
    platforms: o.PushPlatformsOption = None,
    template: o.PushTemplateOption = None,
    ignore_missing: o.IgnoreMissingOption = False,
    target: o.PushTargetOption = None,
    tags: o.TagsOption = None,
    annotations: o.AnnotationsOption = None,
    platform_check: o.PlatformCheckOption = "warn",
    copy_layers: o.CopyLayersOption = False,
    username: o.UsernameOption = None,
    password: o.PasswordOption = None,
    password_stdin: o.PasswordStdinOption = False,
    docker_cfg: o.DockerCfgOption = None,
    plain_http: o.PlainHttpOption = False,
    insecure: o.InsecureOption = False,
    ca_file: n.CaFileOption = None,
    client_cert: n.ClientCertOption = None,
    client_key: n.ClientKeyOption = None,
    retries: n.RetriesOption = None,
    timeout: n.TimeoutOption = None,
    deadline: n.DeadlineOption = None,
    rate: n.RateOption = None,
    source_plain_http: o.SourcePlainHttpOption = False,
    source_insecure: o.SourceInsecureOption = False,
    debug: o.DebugOption = False,
) -> None:
    """Join the images that a template names for a list of platforms.

    What kind of index comes of it is said by push --type, which may also stand here.
    """
    require(ctx, "platforms", "template", "target")
    from oci_merge_cli.commands.push import Arguments, PushOptions, run

    arguments = Arguments(
        platforms=platforms or [],
        template=template or "",
        target=target or "",
        tags=tags or [],
        annotations=annotations or [],
    )
    options = PushOptions(
        list_type=_list_type(ctx),
        ignore_missing=ignore_missing,
        platform_check=platform_check,
        copy_layers=copy_layers,
        source_plain_http=source_plain_http,
        source_insecure=source_insecure,
    )
    run(arguments.spec, options, _connection(ctx).after(ctx.obj))


@push.command("from-spec", cls=Command, epilog=_FROM_SPEC_EXAMPLES)
def from_spec(
    ctx: typer.Context,
    file: o.SpecArgument,
    ignore_missing: o.IgnoreMissingOption = False,
    platform_check: o.PlatformCheckOption = "warn",
    copy_layers: o.CopyLayersOption = False,
    username: o.UsernameOption = None,
    password: o.PasswordOption = None,
    password_stdin: o.PasswordStdinOption = False,
    docker_cfg: o.DockerCfgOption = None,
    plain_http: o.PlainHttpOption = False,
    insecure: o.InsecureOption = False,
    ca_file: n.CaFileOption = None,
    client_cert: n.ClientCertOption = None,
    client_key: n.ClientKeyOption = None,
    retries: n.RetriesOption = None,
    timeout: n.TimeoutOption = None,
    deadline: n.DeadlineOption = None,
    rate: n.RateOption = None,
    source_plain_http: o.SourcePlainHttpOption = False,
    source_insecure: o.SourceInsecureOption = False,
    debug: o.DebugOption = False,
) -> None:
    """Join the images that a YAML file names.

    What kind of index comes of it is said by push --type, which may also stand here.
    """
    from oci_merge_cli.commands.push import PushOptions, read_spec, run

    options = PushOptions(
        list_type=_list_type(ctx),
        ignore_missing=ignore_missing,
        platform_check=platform_check,
        copy_layers=copy_layers,
        source_plain_http=source_plain_http,
        source_insecure=source_insecure,
    )
    run(lambda: read_spec(file), options, _connection(ctx).after(ctx.obj))


def _connection(ctx: typer.Context) -> Connection:
    """Return the connection options that a command has."""
    return Connection(**{name: ctx.params[name] for name in CONNECTION})


def _list_type(ctx: typer.Context) -> o.ListType:
    """Return what ``push --type`` says, before the word of the command at hand."""
    assert ctx.parent is not None
    list_type: o.ListType = ctx.parent.params["type"]
    return list_type


def _refuse(given: list[str], command: str) -> None:
    """Refuse a merge's options before another command's word, where they would mean nothing.

    Raises:
        UsageError: there are some.
    """
    if given:
        options = ", ".join(option_of(name) for name in given)
        raise UsageError(
            f"before {command} there are options of a merge: {options}",
            hint=f"leave them out, or write behind {command} those that it has",
        )
