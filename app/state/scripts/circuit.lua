-- What every decision about a circuit begins with: app/state/circuits/circuit.py in the words of Redis.
-- KEYS[1]  hash: name of a target -> its packed circuit, for all that are or were anything but closed
-- KEYS[2]  hash: the window of this target; field f<bucket> counts failures, c<bucket> calls
-- ARGV[1]  name of the target
local NAME, BUCKETS = ARGV[1], 12

local now = milliseconds()

local packed = redis.call('HGET', KEYS[1], NAME)
local circuit = packed and cmsgpack.unpack(packed)
  or { state = 'closed', generation = 0, forced = 0, since = now, till = 0, openings = 0, leased = 0, leases = {} }

local entered = false -- whether it was this decision that brought the state about

local function save()
  redis.call('HSET', KEYS[1], NAME, cmsgpack.pack(circuit))
end

-- Begin a new generation. It is a time, so that it grows even if everything before it was lost.
local function enter(state)
  entered = true
  circuit.state, circuit.since, circuit.forced, circuit.leases = state, now, 0, {}
  circuit.generation = math.max(circuit.generation + 1, now)
  redis.call('DEL', KEYS[2])
end

-- Sum up the window and take out what has left it.
local function sums(width)
  local last, failures, calls = math.floor(now / width), 0, 0
  local fields = redis.call('HGETALL', KEYS[2])
  for i = 1, #fields, 2 do
    local bucket, count = tonumber(fields[i]:sub(2)), tonumber(fields[i + 1])
    if bucket <= last - BUCKETS or bucket > last then
      redis.call('HDEL', KEYS[2], fields[i])
    elseif fields[i]:sub(1, 1) == 'f' then
      failures = failures + count
    else
      calls = calls + count
    end
  end
  return failures, calls
end

-- The age of a state is 0 for the decision that brought it about and for no other, however soon that comes.
local function answer(slot, failures, calls)
  local wait, age = 0, entered and 0 or math.max(1, now - circuit.since)
  if circuit.state == 'open' and circuit.forced == 0 then wait = math.max(0, circuit.till - now) end
  return { circuit.state, circuit.generation, wait, circuit.forced, failures or 0, calls or 0, age, slot }
end
