# Answers every request, and logs it to log/production.log.
require "logger"
require "webrick"

log = Logger.new(File.expand_path("log/production.log", __dir__))
server = WEBrick::HTTPServer.new(Port: 4567, AccessLog: [[log, WEBrick::AccessLog::COMMON_LOG_FORMAT]])
server.mount_proc("/") { |_, response| response.body = "hello\n" }
trap("TERM") { server.shutdown }
server.start
