-- The virtual keys that changed after a version, oldest change first.
-- KEYS[1]  hash: id -> packed key
-- KEYS[2]  sorted set: id by the version of its last change
-- KEYS[3]  hash: epoch, which names this collection, and last, the newest version; written to by every look
-- ARGV[1]  the version that is known already
-- ARGV[2]  most keys to return
local now = microseconds()
local epoch = redis.call('HGET', KEYS[3], 'epoch')
if not epoch then
  epoch = string.format('%.0f', now)
  redis.call('HSET', KEYS[3], 'epoch', epoch)
end
redis.call('HSET', KEYS[3], 'looked', now)

local found = { epoch }
local ids = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[2])
for i = 1, #ids, 2 do
  found[#found + 1] = { tonumber(ids[i + 1]), redis.call('HGET', KEYS[1], ids[i]) }
end
return found
