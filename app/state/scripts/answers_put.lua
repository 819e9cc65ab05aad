-- Store an answer, with what operators ask about it; forgets what is known of some that are gone.
-- KEYS[1]  string: the stored answer
-- KEYS[2]  sorted set: key -> when it is gone, in milliseconds
-- KEYS[3]  hash: key -> what is known about the answer
-- ARGV[1]  key of the answer
-- ARGV[2]  the answer
-- ARGV[3]  milliseconds that it is kept
-- ARGV[4]  what is known about it
local now = milliseconds()
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('ZADD', KEYS[2], now + ARGV[3], ARGV[1])
redis.call('HSET', KEYS[3], ARGV[1], ARGV[4])
local gone = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 100)
if #gone > 0 then
  redis.call('ZREM', KEYS[2], unpack(gone))
  redis.call('HDEL', KEYS[3], unpack(gone))
end
