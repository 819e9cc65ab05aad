-- The sessions of one owner, those used last first.
-- KEYS[1]  sorted set: the sessions of this owner by when they expire; keys of sessions share its slot
-- ARGV[1]  beginning of the keys of sessions      ARGV[2]  most sessions to return
-- ARGV[3]  the time, or '' for that of Redis; only tests give one
local now = milliseconds(ARGV[3])
local found = {}
local ids = redis.call('ZREVRANGEBYSCORE', KEYS[1], '+inf', '(' .. string.format('%d', now), 'LIMIT', 0, ARGV[2])
for _, id in ipairs(ids) do
  found[#found + 1] = redis.call('HMGET', ARGV[1] .. id, 'about', 'ttl', 'expires', 'turns', 'messages', 'size')
end
return found
