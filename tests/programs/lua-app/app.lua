local socket = require("socket")
local state = io.open("/var/lib/luaapp/state", "a")
if not state then print("no state"); os.exit(1) end
local server = socket.bind("*", 88)
if not server then print("no server"); os.exit(1) end
state:write("started\n"); state:flush()
while true do
  local client = server:accept()
  if client then client:send("hello\n"); client:close() end
end
