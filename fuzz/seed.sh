#!/bin/sh
# Fills corpus/<target> with captured outputs of real tools and a few lines of each other format.
set -eu
cd "$(dirname "$0")"
export LC_ALL=C
rows=../crates/tools/catalogue
golden=../crates/tools/tests/golden
for target in sarif mapped_json text_csv config_toml git_index requirements sanitise identity wire_frames wire_bytes sessions; do
    mkdir -p "corpus/$target"
done

# The first byte chooses among the tools of a family, in the order of their names.
numbered() { # family pattern
    number=0
    for row in $(grep -lE "^format = \"($2)\"" "$rows"/*.toml | sort); do
        tool=$(basename "$row" .toml)
        for kind in findings failure; do
            [ -f "$golden/$tool/$kind.out" ] || continue
            { printf "\\$(printf %03o "$number")"; head -c 4000 "$golden/$tool/$kind.out"; } >"corpus/$1/$tool-$kind"
        done
        number=$((number + 1))
    done
}
numbered mapped_json 'json|json-lines|cyclonedx'
numbered text_csv 'text|csv'
for row in $(grep -lE '^format = "sarif"' "$rows"/*.toml); do
    tool=$(basename "$row" .toml)
    # Small ones: the fuzzer learns the words, not the volume.
    if [ -f "$golden/$tool/findings.out" ] && [ "$(wc -c <"$golden/$tool/findings.out")" -lt 6000 ]; then
        cp "$golden/$tool/findings.out" "corpus/sarif/$tool"
    fi
done

# `arbitrary` takes the lengths from the end of the input and what is left as the last text.
for form in 0 1; do
    { printf "\\$(printf %03o "$form")"; cat ../crates/config/src/default-config.toml; } >"corpus/config_toml/defaults$form"
done
printf '\002timeout: 5s\nignore-rules: [E501]\n' >corpus/config_toml/yaml
printf '\003{"timeout": "5s", "ignore-rules": ["E501"]}' >corpus/config_toml/json
printf '\004timeout = 5s\n[options]\nx = 1\n' >corpus/config_toml/ini
printf 'flask==0.5 ; python_version < "3"\n-r a.txt\na[x]>=1,<2 \\\n  --hash=sha256:00\n' >corpus/requirements/pip
printf '[[package]]\nname = "flask"\nversion = "0.12.2"\n' >corpus/requirements/lock
printf '\033[31mred\033[0m \033]0;title\007 \342\200\256abc' >corpus/sanitise/escapes
scratch=$(mktemp -d)
git -C "$scratch" init -q
mkdir "$scratch/sub"
for name in a.py sub/b.py; do echo 'x = 1' >"$scratch/$name"; done
git -C "$scratch" add .
for version in 2 4; do
    git -C "$scratch" update-index --index-version "$version"
    cat "$scratch/.git/index" >"corpus/git_index/v$version"
done
rm -rf "$scratch"
head -c 400 "$golden/bandit/findings.out" >corpus/identity/some

# Every example of the reference is a frame; as bytes, under a mask of zeros.
number=0
grep -h '^{"type"' ../docs/protocol.md | while read -r frame; do
    number=$((number + 1))
    printf '%s' "$frame" >"corpus/wire_frames/$number"
done
printf '\003\201\205\000\000\000\000hello\211\200\001\002\003\004' >corpus/wire_bytes/text-ping
printf '\001\001\202\000\000\000\000\303\251\200\201\000\000\000\000!\210\202\000\000\000\000\003\350' >corpus/wire_bytes/parts-close

# A script is any bytes: some of many lengths, the same ones each time.
python3 - <<'PYTHON'
import random

dice = random.Random(7)
for number in range(1, 61):
    with open(f"corpus/sessions/{number}", "wb") as script:
        script.write(dice.randbytes(10 * number))
PYTHON
