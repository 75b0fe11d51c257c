#!/usr/bin/env bash
# Power cuts on a real file system: `power_loss_images.sh WORK_DIRECTORY PYTHON [COPIES]`.
#
# budgetd keeps its data on ext4 in a loop image. While clients record, the image is copied as it
# is: what the file system had not written is not in the copy. Each copy is mounted, which replays
# ext4's journal, and started from: what was acknowledged before the copy began must be there.
#
# Needs root and loop mounts. Where they cannot be had it says why and exits 0; any other failure is
# an exit that is not 0.
set -euo pipefail
work=$1 python=$2 copies=${3:-6}
here=$(cd "$(dirname "$0")" && pwd)

cannot() { echo "power_loss_images: cannot run here: $*"; exit 0; }

[ "$(id -u)" -eq 0 ] || cannot "not root (uid $(id -u))"
command -v mkfs.ext4 >/dev/null || cannot "no mkfs.ext4 (apt-get install e2fsprogs)"

# Mounts in a namespace of our own: they end with this process, whatever ends it.
if [ "${IN_NAMESPACE:-}" != "$$" ]; then
  unshare --mount true 2>/dev/null || cannot "no mount namespace"
  IN_NAMESPACE=$$ exec unshare --mount --propagation private "$0" "$@"
fi

mkdir -p "$work/disk" "$work/copy" "$work/images"
mount -t tmpfs -o size=1g tmpfs "$work/images" 2>/dev/null || cannot "mount of a tmpfs is refused"
truncate -s 48M "$work/images/disk.img"
mkfs.ext4 -q -F "$work/images/disk.img"
mount -o loop "$work/images/disk.img" "$work/disk" 2>"$work/mount.log" \
  || cannot "mount -o loop is refused: $(tr '\n' ' ' <"$work/mount.log")"

"$python" "$here/power_loss_images.py" write "$work" "$copies"
umount "$work/disk"

for image in "$work"/images/copy-*.img; do
  mount -o loop "$image" "$work/copy"
  "$python" "$here/power_loss_images.py" check "$work" "$(basename "$image" .img)"
  umount "$work/copy"
done
echo "power_loss_images: $copies images checked"
