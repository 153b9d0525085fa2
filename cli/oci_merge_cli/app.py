"""The commands with their options and help. commands/ holds the body of each."""

# No annotations from __future__: expand_options reads the types as objects.

from pathlib import Path

import typer

from oci_merge import UsageError
from oci_merge_cli.compat.groups import Command, Group, is_given, option_of, require
from oci_merge_cli.options.batch import BatchFilesArgument, BatchOptions
from oci_merge_cli.options.edit import (
    EditOptions,
    IndexArgument,
    RemoveAnnotationOption,
    RemovedPlatformsOption,
    SetAnnotationOption,
)
from oci_merge_cli.options.examples import (
    ANNOTATE_EXAMPLES,
    APPLY_EXAMPLES,
    BATCH_EXAMPLES,
    COMPLETION_EXAMPLES,
    CREDENTIALS_EXAMPLES,
    FROM_ARGS_EXAMPLES,
    FROM_SPEC_EXAMPLES,
    GENERATE_KEY_PAIR_EXAMPLES,
    INSPECT_EXAMPLES,
    MAN_EXAMPLES,
    MERGE_EXAMPLES,
    PUSH_STATUS,
    REMOVE_EXAMPLES,
    SIGN_EXAMPLES,
    VERIFY_EXAMPLES,
)
from oci_merge_cli.options.expand import expand_options
from oci_merge_cli.options.merge import (
    ApplyOptions,
    FromArgsOptions,
    ListType,
    MergeOptions,
    PlanArgument,
    PushOptions,
    SpecArgument,
    TypeOption,
)
from oci_merge_cli.options.output import (
    CredentialsFormOption,
    CredentialsReferenceArgument,
    FileOptions,
    InspectOptions,
    ReferenceArgument,
    ShellArgument,
    VersionOption,
)
from oci_merge_cli.options.registry import ACCESS_NAMES, RegistryAccess, SourcesAccess
from oci_merge_cli.options.safety import SafetyOptions
from oci_merge_cli.options.trust import (
    DigestOption,
    FormatOption,
    IndexOnlyOption,
    KeyOption,
    KeysOption,
    PrefixOption,
    ResultOptions,
    SignedArgument,
    SignOptions,
    TrustOptions,
    VerifiedArgument,
    VerifiedPlatformsOption,
)
from oci_merge_cli.output.stdout import write

SHARED_OPTIONS = frozenset(option_of(name) for name in (*ACCESS_NAMES, "type"))
"""The options of a group that may also stand after the commands of the group."""

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


@app.callback(invoke_without_command=True, epilog=MERGE_EXAMPLES)
@expand_options
def merge(
    ctx: typer.Context,
    options: MergeOptions,
    safety: SafetyOptions,
    trust: TrustOptions,
    files: FileOptions,
    access: SourcesAccess,
    version: VersionOption = False,
) -> None:
    """Join images of single architectures into one multi-architecture image, in their registry.

    No daemon is needed, and no layer is downloaded unless --copy-layers is given. The tags move
    last, when everything else is in the registry.
    """
    ctx.obj = access
    given = [name for name in ctx.params if is_given(ctx, name) and name not in ACCESS_NAMES]
    if ctx.invoked_subcommand:
        _refuse(given, ctx.invoked_subcommand)
    elif not given:
        write(f"{ctx.get_help()}\n")
    else:
        from oci_merge_cli.commands.merge import run

        run(options, safety, trust, files, access)


@app.command(cls=Command, epilog=INSPECT_EXAMPLES)
@expand_options
def inspect(
    ctx: typer.Context,
    reference: ReferenceArgument,
    options: InspectOptions,
    access: RegistryAccess,
) -> None:
    """Show the contents of an image or an index in a registry."""
    from oci_merge_cli.commands.inspect import run

    run(reference, options, access.after(ctx.obj))


@app.command(cls=Command, epilog=REMOVE_EXAMPLES)
@expand_options
def remove(
    ctx: typer.Context,
    reference: IndexArgument,
    *,
    platform: RemovedPlatformsOption = None,
    options: EditOptions,
    signing: SignOptions,
    files: FileOptions,
    access: RegistryAccess,
) -> None:
    """Take platforms out of an index, with their attestations.

    The images stay in the registry. The tag is written only while it stands where it was read.
    """
    require(ctx, "platform")
    from oci_merge_cli.commands.remove import run

    run(reference, platform, options, signing, files, access.after(ctx.obj))


@app.command(cls=Command, epilog=ANNOTATE_EXAMPLES)
@expand_options
def annotate(
    ctx: typer.Context,
    reference: IndexArgument,
    *,
    annotation: SetAnnotationOption = None,
    remove_annotation: RemoveAnnotationOption = None,
    options: EditOptions,
    signing: SignOptions,
    files: FileOptions,
    access: RegistryAccess,
) -> None:
    """Set and remove annotations of an index and of its entries.

    The tag is written only while it stands where it was read.
    """
    from oci_merge_cli.commands.annotate import run

    access = access.after(ctx.obj)
    run(reference, annotation, remove_annotation, options, signing, files, access)


@app.command(cls=Command, epilog=SIGN_EXAMPLES)
@expand_options
def sign(
    ctx: typer.Context,
    reference: SignedArgument,
    *,
    key: KeyOption = None,
    sign_format: FormatOption = "both",
    sign_index_only: IndexOnlyOption = False,
    options: ResultOptions,
    access: RegistryAccess,
) -> None:
    """Sign an image, or an index with all that it lists, in its registry.

    Signatures of others stay, and what is signed by the key already is not signed again.
    """
    from oci_merge_cli.commands.sign import run

    run(reference, key, sign_format, sign_index_only, options, access.after(ctx.obj))


@app.command(cls=Command, epilog=VERIFY_EXAMPLES)
@expand_options
def verify(
    ctx: typer.Context,
    reference: VerifiedArgument,
    *,
    key: KeysOption = None,
    digest: DigestOption = None,
    platforms: VerifiedPlatformsOption = None,
    options: ResultOptions,
    access: RegistryAccess,
) -> None:
    """Look whether an image is complete in its registry and, with --key, signed."""
    from oci_merge_cli.commands.verify import run

    run(reference, key, digest, platforms, options, access.after(ctx.obj))


@app.command("generate-key-pair", cls=Command, epilog=GENERATE_KEY_PAIR_EXAMPLES)
def generate_key_pair(output_key_prefix: PrefixOption = Path("cosign")) -> None:
    """Make a key to sign with, and its public key, in the files that cosign makes.

    The password of the private key is taken from COSIGN_PASSWORD, or asked for on a terminal.
    """
    from oci_merge_cli.commands.generate_key_pair import run

    run(output_key_prefix)


@app.command(cls=Command, epilog=CREDENTIALS_EXAMPLES)
@expand_options
def credentials(
    ctx: typer.Context,
    reference: CredentialsReferenceArgument,
    *,
    output: CredentialsFormOption = "text",
    access: RegistryAccess,
) -> None:
    """Show which credential a run would use for an image, and why."""
    from oci_merge_cli.commands.credentials import run

    run(reference, output, access.after(ctx.obj))


@app.command(cls=Command, epilog=COMPLETION_EXAMPLES)
def completion(ctx: typer.Context, shell: ShellArgument) -> None:
    """Print a script that lets a shell complete commands and options."""
    from oci_merge_cli.commands.completion import run

    run(shell, ctx.find_root(), SHARED_OPTIONS)


@app.command(cls=Command, epilog=MAN_EXAMPLES)
def man(ctx: typer.Context) -> None:
    """Print the man page."""
    from oci_merge_cli.commands.man import run

    run(ctx.find_root(), SHARED_OPTIONS)


@app.command(cls=Command, epilog=BATCH_EXAMPLES)
@expand_options
def batch(
    ctx: typer.Context,
    files: BatchFilesArgument = None,
    *,
    options: BatchOptions,
    access: SourcesAccess,
) -> None:
    """Merge every image that YAML files list, many at a time.

    All images are checked before the first request. One that fails stops no other, and a rerun
    does what is left.
    """
    from oci_merge_cli.commands.batch import run

    run(files or [], options, access.after(ctx.obj))


@app.command(cls=Command, epilog=APPLY_EXAMPLES)
@expand_options
def apply(
    ctx: typer.Context,
    plan: PlanArgument,
    options: ApplyOptions,
    files: FileOptions,
    access: SourcesAccess,
) -> None:
    """Publish what a dry run has planned, if nothing has changed since.

    Exactly the planned bytes are published. Where a tag or an image is not what it was when the
    plan was made, nothing is.
    """
    from oci_merge_cli.commands.apply import run

    run(plan, options, files, access.after(ctx.obj))


@push.callback(invoke_without_command=True, epilog=PUSH_STATUS)
def show_push(ctx: typer.Context, type: TypeOption = "docker") -> None:
    """Join images as manifest-tool does, into the same index, byte for byte.

    Platforms are published as they are written, except those that no client would find so: they
    are published in their normal form, with a warning. The option --type alone decides the kind of
    index.
    """
    if not ctx.invoked_subcommand:
        write(f"{ctx.get_help()}\n")


@push.command("from-args", cls=Command, epilog=FROM_ARGS_EXAMPLES)
@expand_options
def from_args(
    ctx: typer.Context,
    arguments: FromArgsOptions,
    options: PushOptions,
    trust: TrustOptions,
    files: FileOptions,
    access: SourcesAccess,
) -> None:
    """Join the images that a template names for a list of platforms.

    The option --type of push decides the kind of index; it may also stand here.
    """
    require(ctx, "platforms", "template", "target")
    from oci_merge_cli.commands.push import make_spec, run

    run(lambda: make_spec(arguments), _list_type(ctx), options, trust, files, access.after(ctx.obj))


@push.command("from-spec", cls=Command, epilog=FROM_SPEC_EXAMPLES)
@expand_options
def from_spec(
    ctx: typer.Context,
    file: SpecArgument,
    options: PushOptions,
    trust: TrustOptions,
    files: FileOptions,
    access: SourcesAccess,
) -> None:
    """Join the images that a YAML file names.

    The option --type of push decides the kind of index; it may also stand here.
    """
    from oci_merge_cli.commands.push import read_spec, run

    run(lambda: read_spec(file), _list_type(ctx), options, trust, files, access.after(ctx.obj))


def _list_type(ctx: typer.Context) -> ListType:
    """Return the value of ``push --type``, for a command of push."""
    assert ctx.parent is not None
    list_type: ListType = ctx.parent.params["type"]
    return list_type


def _refuse(given: list[str], command: str) -> None:
    """Refuse options of a merge before the name of another command, which would ignore them.

    Args:
        given: the names of these options.
        command: the name of the command.

    Raises:
        UsageError: there is such an option.
    """
    if given:
        options = ", ".join(option_of(name) for name in given)
        raise UsageError(
            f"options of a merge are given before {command}: {options}",
            hint=f"leave them out, or write those that {command} takes after it",
        )
