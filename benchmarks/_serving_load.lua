-- One body per line of a file, each sent once, from a given line on; at the end one line of JSON.
local bodies, place = {}, 0

function init(args)
  local skip = tonumber(args[2])
  for line in io.lines(args[1]) do
    if skip > 0 then skip = skip - 1 else bodies[#bodies + 1] = line end
  end
  wrk.method = "POST"
  wrk.headers["content-type"] = "application/json"
  wrk.headers["authorization"] = "Bearer " .. args[3]
end

function request()
  place = place + 1
  return wrk.format(nil, nil, nil, bodies[(place - 1) % #bodies + 1])
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "seconds": %f, "median_ms": %f, "p99_ms": %f, "max_ms": %f, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3,
    e.status, e.connect + e.read + e.write + e.timeout))
end
