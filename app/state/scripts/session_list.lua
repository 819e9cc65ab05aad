-- The sessions of one owner, those used last first.
-- KEYS[1]  sorted set: the sessions of this owner by when they expire; keys of sessions share its slot
-- ARGV[1]  beginning of the keys of sessions      ARGV[2]  most sessions to return
local found = {}
local ids = redis.call('ZREVRANGEBYSCORE', KEYS[1], '+inf', '(' .. string.format('%d', now), 'LIMIT', 0, ARGV[2])
for _, id in ipairs(ids) do
  found[#found + 1] = head(ARGV[1] .. id)
end
return found
