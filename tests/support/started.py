"""Programs that start at once: each is a process of its own, forked from one that has imported torch, Lightning and byhand.

    python started.py serve ADDRESS            imports, then starts what it is asked for at that socket, until its standard input ends
    python -S -E started.py ADDRESS WORDS ...  is to who starts it what `python WORDS ...` is: its files, folder, environment, signals,
                                               exit code. WORDS: -m MODULE ... or SCRIPT ...

The imports, four seconds of a processor, are done once for all tests of a process. What hangs on the start itself (what is imported,
warnings, limits of the process, programs that start themselves again) is tested with `python`.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> None:
    if sys.argv[1] == "serve":
        sys.path.pop(0)  # this script's folder
        Server(sys.argv[2]).serve()
    sys.exit(relay(sys.argv[1], sys.argv[2:]))


def relay(address: str, words: list[str]) -> int:
    """Have it started, hand on what signals come, and end as it ends. If this process is killed, so is that."""
    with socket.socket(socket.AF_UNIX) as line, line.makefile("r") as answers:
        line.connect(address)
        asked = {"words": words, "folder": os.getcwd(), "environment": dict(os.environ)}  # noqa: PTH109 (pathlib takes a while)
        socket.send_fds(line, [b" "], [0, 1, 2])
        line.sendall(f"{json.dumps(asked)}\n".encode())
        process = int(answers.readline())
        for number in SIGNALS:
            signal.signal(number, lambda number, _: os.kill(process, number))
        code = int(answers.readline())
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


class Server:
    """It starts what is asked for. In the processes that it starts, `serve` ends with the program.

    Its own signals: Ctrl-C at a terminal is for pytest, whose end ends this process; that of a child only wakes it.
    """

    def __init__(self, address: str) -> None:
        import selectors  # noqa: PLC0415

        load()
        self.running: dict[socket.socket, int] = {}
        self.listener, (self.wakes, self.wake) = socket.socket(socket.AF_UNIX), socket.socketpair()
        self.wake.setblocking(False)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.wake.fileno())
        self.listener.bind(address)
        self.listener.listen(16)
        self.wanted = selectors.DefaultSelector()
        for one in (sys.stdin, self.listener, self.wakes):
            self.wanted.register(one, selectors.EVENT_READ)
        print("ready", flush=True)

    def serve(self) -> None:
        while True:
            for key, _ in self.wanted.select():
                if key.fileobj is sys.stdin:
                    self.leave()
                elif key.fileobj is self.wakes:
                    self.wakes.recv(1024)
                elif key.fileobj is self.listener:
                    self.start(self.listener.accept()[0])
                elif key.fileobj in self.running:  # who asked for it is gone
                    os.kill(self.running[key.fileobj], signal.SIGKILL)  # type: ignore[index]
                    self.wanted.unregister(key.fileobj)
            self.bury()

    def start(self, line: socket.socket) -> None:
        _, files, _, _ = socket.recv_fds(line, 1, 3)
        with line.makefile("r") as asked:
            words = asked.readline()
        process = os.fork()
        if process == 0:
            self.wanted.close()
            for one in (self.listener, self.wakes, self.wake, line, *self.running):
                one.close()
            become(json.loads(words), files)
        for file in files:
            os.close(file)
        line.sendall(f"{process}\n".encode())
        self.running[line] = process
        self.wanted.register(line, 1)

    def bury(self) -> None:
        """Say of each that has ended how it has."""
        for line, process in list(self.running.items()):
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                self.running.pop(line)
                if line in self.wanted.get_map():
                    self.wanted.unregister(line)
                    line.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
                line.close()

    def leave(self) -> None:
        for process in self.running.values():
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
        sys.exit()


def load() -> None:
    """Import what the programs import."""
    import gc  # noqa: PLC0415

    gc.disable()
    import byhand.explorer.cli  # noqa: PLC0415
    import byhand.train.cli.command  # noqa: PLC0415
    import byhand.train.cli.write  # noqa: F401, PLC0415

    gc.freeze()
    gc.enable()


def become(asked: dict, files: list[int]) -> None:
    """Be that program, and end with it."""
    import atexit  # noqa: PLC0415
    import random  # noqa: PLC0415
    import runpy  # noqa: PLC0415

    import numpy as np  # noqa: PLC0415

    from byhand.files.imports import leave  # noqa: PLC0415

    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    sys.stdout.reconfigure(line_buffering=sys.stdout.isatty())  # type: ignore[union-attr]
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    atexit.register(leave)
    random.seed()
    np.random.seed()
    first, *rest = asked["words"]
    if first == "-m":
        sys.path.insert(0, asked["folder"])
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.path.insert(0, os.path.dirname(os.path.join(asked["folder"], first)))  # noqa: PTH118, PTH120
        sys.argv = [first, *rest]
        runpy.run_path(first, run_name="__main__")
    sys.exit()


if __name__ == "__main__":
    main()
