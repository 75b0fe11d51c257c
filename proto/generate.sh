#!/bin/sh
# Writes the C of Sources/CBudgetWire and the Swift of Sources/BudgetWire/Schema from
# proto/budget/v1/budget.proto.
#
#   proto/generate.sh           writes them
#   proto/generate.sh --check   fails where what is committed differs from what would be written
#
# protoc-c 1.4 refuses proto3's `optional` and hands a string over as a NUL-terminated C string, in
# which "a\0b" arrives as "a": two ids could share a budget. So it works on a copy in which each
# `optional T x = n` stands in a oneof of its own and each string is handed over as bytes with a
# length. The bytes on the wire are the same. The service is dropped: no stubs are wanted.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
source="$root/proto/budget/v1/budget.proto"
target="$root/Sources/CBudgetWire"
schema="$root/Sources/BudgetWire/Schema/WireSchema+Generated.swift"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

awk '
  /^service /  { inService = 1 }
  inService    { if (/^}/) inService = 0; next }
  /^ *\/\//    { next }
  /^syntax /   { print; print "import \"protobuf-c/protobuf-c.proto\";"; next }
  {
    if ($0 ~ /^ *(optional |repeated )?string [a-z_]+ = [0-9]+;/)
      sub(/;/, " [(pb_c_field).string_as_bytes = true];")
    if (match($0, /^ *optional /)) {
      name = $3
      sub(/optional /, "oneof " name "_presence { ")
      sub(/;.*/, "; }")
    }
    print
  }
' "$source" > "$work/budget.proto"

if grep -nE '^ *optional |^service ' "$work/budget.proto" \
  || grep -nE '(^| )string [a-z_]+ = [0-9]+;' "$work/budget.proto"; then
  echo "generate.sh: a line of budget.proto was not understood (one field a line)" >&2
  exit 1
fi

# protobuf-c.proto extends descriptor.proto's options, which Debian ships in libprotobuf-dev only.
# That they can be extended is all that is needed of it.
mkdir -p "$work/out" "$work/google/protobuf"
cat > "$work/google/protobuf/descriptor.proto" <<'END'
syntax = "proto2";
package google.protobuf;
message FileOptions { extensions 1000 to max; }
message MessageOptions { extensions 1000 to max; }
message FieldOptions { extensions 1000 to max; }
END
protoc-c --proto_path="$work" --proto_path=/usr/include --c_out="$work/out" "$work/budget.proto"

# The Swift: methods, the rules that the walk judges a request's fields by, names, sizes.
protoc --proto_path="$root/proto" --include_source_info --descriptor_set_out="$work/set" \
  budget/v1/budget.proto
python3 "$root/proto/swift_schema.py" < "$work/set" > "$work/out/schema.swift"

if [ "${1:-}" = "--check" ]; then
  diff -u "$target/include/budget.pb-c.h" "$work/out/budget.pb-c.h"
  diff -u "$target/budget.pb-c.c" "$work/out/budget.pb-c.c"
  diff -u "$schema" "$work/out/schema.swift"
else
  mkdir -p "$target/include" "$(dirname "$schema")"
  cp "$work/out/budget.pb-c.h" "$target/include/budget.pb-c.h"
  cp "$work/out/budget.pb-c.c" "$target/budget.pb-c.c"
  cp "$work/out/schema.swift" "$schema"
fi
