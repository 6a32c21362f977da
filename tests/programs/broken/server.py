"""A web server on port 8080 that swallows its errors; the first argument says what else it does, and the second with which file."""
import os, signal, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODE = sys.argv[1]


def attempt(path, text, mode="w"):
    """Writes a file and tells whether that was possible."""
    try:
        with open(path, mode) as file:
            file.write(text)
        return True
    except OSError:
        return False


class Handler(BaseHTTPRequestHandler):
    def answer(self, status, text="fine\n"):
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_GET(self):
        if MODE == "log":
            attempt("/var/log/app/access.log", self.path + "\n", "a")
        if MODE == "cache":
            attempt("/var/cache/app/page", "fine\n")
        if MODE == "login" and self.path == "/login":
            try:
                return self.answer(200, open(sys.argv[2]).read())
            except OSError:
                return self.answer(500)
        self.answer(200)

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        # Like a server that holds small bodies in memory, and the others in a file that it removes.
        if MODE == "body" and length > 16384:
            if not attempt("/var/spool/app/body", body.decode()):
                return self.answer(500)
            os.remove("/var/spool/app/body")
        if MODE == "upload" and self.path == "/upload":
            return self.answer(201 if attempt(f"/srv/uploads/{time.time_ns()}", body.decode()) else 500)
        self.answer(200)

    def log_message(self, *words):
        pass


def second_start():
    """Leaves a file that nobody may write, and wants to write it again: only root can."""
    path = "/data/state"
    try:
        with open(path, "w") as file:
            file.write(str(os.getpid()))
    except OSError:
        sys.exit(1)
    os.chmod(path, 0o444)


def reload(*_):
    """Opens its log again, as a rotation asks for."""
    try:
        open("/var/log/app/server.log", "a").close()
    except OSError:
        os._exit(1)


def worker():
    """A child with a port of its own, whose end nobody notices."""
    if os.fork():
        return
    try:
        open("/var/lib/worker/queue", "w").close()
    except OSError:
        os._exit(1)
    ThreadingHTTPServer(("", 9090), Handler).serve_forever()


def job():
    """Like cron: each run that fails is one that nobody reads of."""
    while True:
        attempt("/var/spool/jobs/last-run", time.ctime())
        time.sleep(1)


if MODE == "second-start":
    second_start()
if MODE == "reload":
    signal.signal(signal.SIGHUP, reload)
if MODE == "child":
    worker()
if MODE == "job":
    threading.Thread(target=job, daemon=True).start()
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
ThreadingHTTPServer(("", 8080), Handler).serve_forever()
