// Keeps what is sent to it, one file a request.
const fs = require("fs");
const http = require("http");
const path = require("path");

const uploads = path.join(__dirname, "uploads");
fs.mkdirSync(uploads, { recursive: true });
http
  .createServer((request, response) => {
    const file = path.join(uploads, String(process.hrtime.bigint()));
    request.pipe(fs.createWriteStream(file)).on("finish", () => response.end("kept\n"));
  })
  .listen(3000, () => console.log("listening on port 3000"));
