-- What has come of an answer since the last time, and whether more will.
-- KEYS[1]  list: what has come of the answer
-- KEYS[2]  string: the token of who makes the call
-- KEYS[3]  string: the stored answer
-- ARGV[1]  token of who makes it, as far as is known
-- ARGV[2]  how many entries of the list are known
local news = redis.call('LRANGE', KEYS[1], ARGV[2], -1)
local alive = redis.call('GET', KEYS[2]) == ARGV[1]
local stored = false
if not alive and #news == 0 then stored = redis.call('GET', KEYS[3]) end
return { alive and 1 or 0, news, stored or '' }
