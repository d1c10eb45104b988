"""Starts a program with the system calls refused that a container engine refuses by default to who has no capability:
new namespaces, mounts, and a few that no tool needs. x86-64 alone.

usage: engine.py PROGRAM WORD...
"""

import ctypes, errno, os, struct, sys

ALLOW, REFUSE = 0x7FFF0000, 0x00050000
# setns, unshare, mount, umount2, pivot_root, chroot, perf_event_open, bpf, open_tree to fspick, io_uring_setup, keys
REFUSED = [308, 272, 165, 166, 155, 161, 298, 321, 428, 429, 430, 431, 432, 433, 425, 248, 249, 250]
# What it says where it cannot look into the arguments, so that callers take `clone`.
CLONE3, CLONE, NEW_NAMESPACES = 435, 56, 0x7E020000


def step(code, value, then=0, otherwise=0):
    return struct.pack("HBBI", code, then, otherwise, value)


program = [step(0x20, 0)]
for number in REFUSED:
    program += [step(0x15, number, 0, 1), step(0x06, REFUSE | errno.EPERM)]
program += [step(0x15, CLONE3, 0, 1), step(0x06, REFUSE | errno.ENOSYS)]
program += [step(0x15, CLONE, 0, 4), step(0x20, 16), step(0x54, NEW_NAMESPACES), step(0x15, 0, 1, 0)]
program += [step(0x06, REFUSE | errno.EPERM), step(0x06, ALLOW)]


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_void_p)]


steps = ctypes.create_string_buffer(b"".join(program))
filter_ = Program(len(program), ctypes.cast(steps, ctypes.c_void_p).value)
libc = ctypes.CDLL(None, use_errno=True)
NO_NEW_PRIVS, SECCOMP, FILTER = 38, 22, 2
for words in ((NO_NEW_PRIVS, 1, 0, 0, 0), (SECCOMP, FILTER, ctypes.byref(filter_), 0, 0)):
    if libc.prctl(*words) != 0:
        sys.exit(f"the filter cannot be set: {os.strerror(ctypes.get_errno())}")
os.execvp(sys.argv[1], sys.argv[1:])
