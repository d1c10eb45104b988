# Becomes process 1 of a container: its own root from read-only parts of this machine, its own /etc, /dev and
# /proc; then a user without any right. Started as root in new namespaces.
#
# usage: sh -e container.sh ROOT HOSTS BINARY USER WORKDIR RUN LINES...
#   RUN      what is started, with its words, one a line, in a file
#   LINES    a file of mounts, one a line: `bind SOURCE TARGET`, `read SOURCE TARGET`, `tmpfs TARGET`
root=$1 hosts=$2 binary=$3 user=$4 workdir=$5 run=$6 mounts=$7

mount --make-rprivate /
mount -t tmpfs -o mode=0755 root "$root"
cd "$root"
mkdir -p usr etc proc dev tmp run/secrets var/lib app/sources opt .before
for name in bin sbin lib lib64; do
    if [ -L "/$name" ]; then ln -s "$(readlink "/$name")" "$name"; fi
    if [ -d "/$name" ] && [ ! -L "/$name" ]; then mkdir "$name"; mount --rbind "/$name" "$name"; fi
done
mount --bind -o ro /usr usr
mount -o remount,bind,ro usr
# What this machine has there is not in the image.
mount -t tmpfs -o mode=0755 local usr/local
mkdir -p usr/local/bin
: >usr/local/bin/assay
mount --bind "$binary" usr/local/bin/assay
if [ -d /etc/alternatives ]; then cp -a /etc/alternatives etc/; fi
printf 'root:x:0:0::/root:/bin/sh\nassay:x:%s:%s::/var/lib/assay:/usr/sbin/nologin\n' "$user" "$user" >etc/passwd
printf 'root:x:0:\nassay:x:%s:\n' "$user" >etc/group
printf 'hosts: files\n' >etc/nsswitch.conf
printf 'multi on\n' >etc/host.conf
: >etc/hosts
mount --bind "$hosts" etc/hosts
for name in null zero full random urandom; do
    : >"dev/$name"
    mount --bind "/dev/$name" "dev/$name"
done
mount -t proc proc proc

while read -r how source target; do
    case $how in
        tmpfs) target=$source; mkdir -p ".$target"; mount -t tmpfs -o mode=1777 tmpfs ".$target" ;;
        bind | read)
            if [ -d "$source" ]; then mkdir -p ".$target"; else mkdir -p ".${target%/*}"; : >".$target"; fi
            mount --bind "$source" ".$target"
            if [ "$how" = read ]; then mount -o remount,bind,ro ".$target"; fi
            ;;
    esac
done <"$mounts"

mkdir -p "./$workdir"
exec 3<"$run"
pivot_root . .before
umount -l /.before
rmdir /.before
mount -o remount,bind,ro /
cd "$workdir"
set --
while read -r word <&3; do set -- "$@" "$word"; done
exec 3<&-
exec setpriv --reuid "$user" --regid "$user" --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs -- "$@"
