-- Every circuit that is or was anything but closed, for the mirrors of the replicas.
-- KEYS[1]  hash: name of a target -> its packed circuit
-- KEYS[2]  written to, so that a Redis that takes no writes is not taken for a healthy one
-- ARGV[1]  how many circuits are kept; beyond that, those that have been closed for a day are forgotten
-- ARGV[2]  milliseconds, from now on, for which the probes that follow keep their places
-- ARGV[3...]  of each probe of this replica that is still under way: target, generation, slot
local now = milliseconds()
redis.call('SET', KEYS[2], now, 'PX', 60000)

for i = 3, #ARGV, 3 do
  local packed, slot = redis.call('HGET', KEYS[1], ARGV[i]), ARGV[i + 2]
  local circuit = packed and cmsgpack.unpack(packed)
  if circuit and circuit.generation == tonumber(ARGV[i + 1]) and circuit.leases[slot] then
    circuit.leases[slot] = now + ARGV[2]
    redis.call('HSET', KEYS[1], ARGV[i], cmsgpack.pack(circuit))
  end
end

local fields, found = redis.call('HGETALL', KEYS[1]), {}
local crowded = #fields / 2 > tonumber(ARGV[1])
for i = 1, #fields, 2 do
  local circuit = cmsgpack.unpack(fields[i + 1])
  local rests = circuit.forced == 0 and now >= circuit.till
  if crowded and rests and now - math.max(circuit.since, circuit.till) > 86400000 then
    redis.call('HDEL', KEYS[1], fields[i])
  else
    local wait = 0
    if circuit.state == 'open' and circuit.forced == 0 then wait = math.max(0, circuit.till - now) end
    found[#found + 1] = { fields[i], circuit.state, circuit.generation, wait, circuit.forced, 0, 0, now - circuit.since }
  end
end
return found
