import http.server
import os
import shutil
import sqlite3
import sys

BASE = os.path.dirname(os.path.abspath(__file__))


def path(*names):
    return os.path.join(BASE, *names)


class Uploads(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with open(path("media", "upload"), "w") as upload:
            upload.write("x")
        self.send_response(200)
        self.end_headers()


match sys.argv[1]:
    case "migrate":
        database = sqlite3.connect(path("db.sqlite3"))
        database.execute("create table if not exists pages (title text)")
        database.commit()
    case "collectstatic":
        os.makedirs(path("staticfiles"), exist_ok=True)
        shutil.copy(path("static/site.css"), path("staticfiles/site.css"))
    case "runserver":
        http.server.HTTPServer(("0.0.0.0", 8000), Uploads).serve_forever()
