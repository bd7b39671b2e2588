# Becomes a machine: see machines.py. Run by `unshare --mount --net --uts`, with nothing mounted on the disk yet.
#   sh machine.sh NAME BRIDGE CABLE ADDRESS DISK [SHOWN PLACE]...
set -e
name=$1 bridge=$2 cable=$3 address=$4 disk=$5
shift 5
outside="nsenter --target $PPID --net"
$outside ip link delete "$cable" 2>/dev/null || true  # of a machine that was not stopped: the bridge is ours
$outside ip link add "$cable" type veth peer name eth0 netns $$
$outside ip link set "$cable" master "$bridge" up
ip address add "$address/24" dev eth0
ip link set eth0 up
ip link set lo up
hostname "$name"
while [ $# -gt 0 ]; do
  mount --bind "$1" "$disk$2"
  mount -o remount,bind,ro "$disk$2"
  shift 2
done
mount -t tmpfs none "$disk/dev/shm"
mount --bind "$disk/hosts" "$disk/etc/hosts"
exec chroot "$disk" sh -c 'echo ready; exec sleep infinity'
