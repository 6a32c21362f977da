"""Counts its visitors in a database beside the code."""

import http.server
import sqlite3

visits = sqlite3.connect("visits.db")
visits.execute("CREATE TABLE IF NOT EXISTS visits (at TEXT DEFAULT CURRENT_TIMESTAMP)")


class Counter(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        visits.execute("INSERT INTO visits DEFAULT VALUES")
        visits.commit()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"%d\n" % visits.execute("SELECT count(*) FROM visits").fetchone())


print("listening on port 80")
http.server.HTTPServer(("", 80), Counter).serve_forever()
