-- What every decision about rate limits begins with: app/core/gcra.py in the words of Redis. Time is in microseconds.
local now = microseconds()

-- Return a bucket: when its work is served, how far that has moved forward, and when the bucket was made.
local function bucket(key)
  local packed = redis.call('GET', key)
  if packed then return cmsgpack.unpack(packed) end
  return now, 0, now
end

-- What is kept lives for a minute longer than it says anything.
local SPARE_MS = 60000

local function save(key, served, moved, born)
  redis.call('SET', key, cmsgpack.pack(served, moved, born), 'PX', math.max(0, math.ceil((served - now) / 1000)) + SPARE_MS)
end
