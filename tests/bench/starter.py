"""Starts one program after another for timing.py and says what each took. It is a process of its own, and a small one:
the kernel counts what a parent holds when it starts a program as held by that program, and a parent that does little
else adds little to the time. Hence it imports next to nothing.

It takes (program, arguments, environment) on its standard input and answers (status, wall, cpu, memory), in marshal's
format: seconds, seconds of the program and of everything that it waited for, MiB at the most. Its argument is the file
for what programs say on their standard error."""

import marshal
import os
import sys
import time

# Python ignores them, and a program begins with what its parent ignores.
SIGPIPE, SIGXFSZ = 13, 25


def run(program, arguments, environment, errors):
    actions = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
               (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
               (os.POSIX_SPAWN_OPEN, 2, errors, os.O_WRONLY | os.O_TRUNC, 0)]
    start = time.monotonic()
    pid = os.posix_spawn(program, arguments, environment, file_actions=actions, setsigdef=[SIGPIPE, SIGXFSZ])
    _, status, usage = os.wait4(pid, 0)
    wall = time.monotonic() - start
    return os.waitstatus_to_exitcode(status), wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    while True:
        try:
            task = marshal.load(sys.stdin.buffer)
        except EOFError:
            return
        marshal.dump(run(*task, sys.argv[1]), sys.stdout.buffer)
        sys.stdout.buffer.flush()


main()
