"""The examples and exit statuses that stand below the help of each command."""

MERGE_EXAMPLES = """
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
INSPECT_EXAMPLES = """
\b
Examples:
  oci-merge inspect reg.example/app:1.0
  oci-merge inspect --output json reg.example/app@sha256:4355a46b...
  oci-merge inspect --raw --expand-config reg.example/app-amd64:1.0

\b
Exit status: 0 done, 1 failed or wrong usage, 130 or 143 interrupted.
"""
PUSH_STATUS = """
\b
Exit status: 0 done, 1 failed or wrong usage, 3 no such command, 130 or 143 interrupted.
"""
FROM_ARGS_EXAMPLES = f"""
\b
Examples:
  oci-merge push from-args --platforms linux/amd64,linux/arm/v7 \\
      --template reg.example/app-ARCHVARIANT:1.0 \\
      --target reg.example/app:1.0 --tags latest,1
  oci-merge push --type oci from-args --platforms linux/amd64 \\
      --template reg.example/app-ARCH:1.0 \\
      --target reg.example/app:1.0 --annotations key=value
{PUSH_STATUS}"""
FROM_SPEC_EXAMPLES = f"""
\b
Example:
  oci-merge push --type oci from-spec spec.yml

\b
A spec.yml:
  image: reg.example/app:1.0
  tags: [latest, "1"]
  annotations: {{key: value}}
  manifests:
    - image: reg.example/app-amd64:1.0
    - image: reg.example/app-armv7:1.0
      platform: {{os: linux, architecture: arm, variant: v7}}

\b
Only image and manifests are required; annotations need --type oci. A platform may also have
osversion and osfeatures.
{PUSH_STATUS}"""
BATCH_EXAMPLES = """
\b
Examples:
  oci-merge batch images.yml
  oci-merge batch images.yml --dry-run
  oci-merge batch specs/*.yml
  oci-merge batch images.yml --shard 3/10 --output json
  oci-merge batch --schema > batch.schema.json

\b
An images.yml:
  defaults:
    template: ${REGISTRY}/${name}-ARCH:${VERSION:-edge}
    target: ${REGISTRY}/${name}:${VERSION:-edge}
  images:
    - name: app
      tags: [latest]
    - name: web
      platforms: [linux/amd64, linux/arm64]

\b
Exit status: 0 done, 1 an image failed or wrong usage, 130 or 143 interrupted.
"""
REMOVE_EXAMPLES = """
\b
Examples:
  oci-merge remove reg.example/app:1.0 --platform linux/s390x
  oci-merge remove reg.example/app:1.0 --platform linux/arm/v6,linux/arm/v7 --dry-run

\b
Exit status: 0 done, 1 failed or wrong usage, 130 or 143 interrupted.
"""
ANNOTATE_EXAMPLES = """
\b
Examples:
  oci-merge annotate reg.example/app:1.0 \\
      --annotation org.opencontainers.image.description="An example"
  oci-merge annotate reg.example/app:1.0 --remove-annotation com.example.draft \\
      --annotation "manifest-descriptor[linux/arm64]:com.example.tested=yes"

\b
Exit status: 0 done, 1 failed or wrong usage, 130 or 143 interrupted.
"""
CREDENTIALS_EXAMPLES = """
\b
Examples:
  oci-merge credentials reg.example/app:1.0
  oci-merge credentials ghcr.io
  oci-merge credentials --output json reg.example/app:1.0

\b
Exit status: 0 done, 1 unreadable source or wrong usage, 130 or 143 interrupted.
"""
COMPLETION_EXAMPLES = """
\b
Examples:
  oci-merge completion bash \\
      > ~/.local/share/bash-completion/completions/oci-merge
  oci-merge completion zsh > ~/.zfunc/_oci-merge
  oci-merge completion fish > ~/.config/fish/completions/oci-merge.fish

\b
Exit status: 0 done, 1 failed or wrong usage.
"""
MAN_EXAMPLES = """
\b
Examples:
  oci-merge man | man -l -
  oci-merge man > /usr/local/share/man/man1/oci-merge.1

\b
Exit status: 0 done, 1 failed or wrong usage.
"""
APPLY_EXAMPLES = """
\b
Examples:
  oci-merge --template reg.example/app-ARCH:1.0 --target reg.example/app:1.0 \\
      --dry-run --output json > plan.json
  oci-merge apply plan.json
  oci-merge apply --verify --output json - < plan.json

\b
Exit status: 0 done, 1 failed or wrong usage, 130 or 143 interrupted.
"""
SIGN_EXAMPLES = """
\b
Examples:
  oci-merge sign --key cosign.key reg.example/app:1.0
  COSIGN_PRIVATE_KEY="$(cat cosign.key)" oci-merge sign reg.example/app:1.0

\b
Exit status: 0 done, 1 failed or wrong usage, 130 or 143 interrupted.
"""
VERIFY_EXAMPLES = """
\b
Examples:
  oci-merge verify reg.example/app:1.0 --platforms linux/amd64,linux/arm64
  oci-merge verify --key cosign.pub reg.example/app:1.0

\b
Exit status: 0 verified, 1 not verified, failed or wrong usage, 130 or 143 interrupted.
"""
GENERATE_KEY_PAIR_EXAMPLES = """
\b
Example:
  oci-merge generate-key-pair --output-key-prefix release

\b
Exit status: 0 done, 1 failed or wrong usage, 130 or 143 interrupted.
"""
