-- A stored answer, or else who makes the upstream call for it: whoever asks first, until the lease runs out.
-- KEYS[1]  string: the stored answer
-- KEYS[2]  string: the token of who makes the call
-- ARGV[1]  token of who asks
-- ARGV[2]  milliseconds of the lease
-- ARGV[3]  1: a stored answer is not good enough
local stored = ARGV[3] ~= '1' and redis.call('GET', KEYS[1])
if stored then return { stored, '' } end
local leader = redis.call('GET', KEYS[2])
if leader then return { '', leader } end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return { '', ARGV[1] }
