-- Add up what replicas count, and say how often they were told to forget copies.
-- KEYS[1]  hash: what is counted -> how often it happened
-- KEYS[2]  string: how often replicas were told to forget copies
-- ARGV     name, count, name, count, ... since the last time
for i = 1, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
return tonumber(redis.call('GET', KEYS[2]) or '0')
