-- Say that a replica is alive, and count those that said so lately.
-- KEYS[1]  sorted set: name of a replica -> when it said so last
-- ARGV[1]  the name of this one        ARGV[2]  milliseconds after which a silent one is taken for gone
local now = milliseconds()
local long = tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - long)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('PEXPIRE', KEYS[1], long)
return redis.call('ZCARD', KEYS[1])
