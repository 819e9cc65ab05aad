-- Store a virtual key, if nobody changed it in the meantime.
-- KEYS[1]  hash: id -> packed key
-- KEYS[2]  sorted set: id by the version of its last change
-- KEYS[3]  hash: epoch, and last, the newest version
-- KEYS[4]  sorted set: id of a key that will never be valid again by the second at which it may be forgotten
-- ARGV[1]  id            ARGV[2]  the packed key
-- ARGV[3]  the version that is to be replaced; 0 for a new key
-- ARGV[4]  the second at which it may be forgotten, or ''
-- ARGV[5]  how many keys there may be
-- Returns the new version; 0 if the key is another by now, -1 if there are too many.
local id, before = ARGV[1], tonumber(ARGV[3])
local version = tonumber(redis.call('ZSCORE', KEYS[2], id) or 0)
if version ~= before then return 0 end

local now = microseconds() / 1000000
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now, 'LIMIT', 0, 10)) do
  if gone ~= id then
    redis.call('HDEL', KEYS[1], gone)
    redis.call('ZREM', KEYS[2], gone)
  end
  redis.call('ZREM', KEYS[4], gone)
end
if before == 0 and redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[5]) then return -1 end

version = redis.call('HINCRBY', KEYS[3], 'last', 1)
redis.call('HSET', KEYS[1], id, ARGV[2])
redis.call('ZADD', KEYS[2], version, id)
if ARGV[4] ~= '' then redis.call('ZADD', KEYS[4], ARGV[4], id) end
return version
