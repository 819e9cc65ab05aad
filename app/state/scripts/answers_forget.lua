-- Forget answers, and return how many there were.
-- KEYS[1]  sorted set: key -> when it is gone
-- KEYS[2]  hash: key -> what is known about the answer
-- KEYS[3]  and on: strings, the stored answers
-- ARGV     the keys of the answers, in the same order
local count = 0
for i = 1, #ARGV do
  count = count + redis.call('DEL', KEYS[i + 2])
  redis.call('ZREM', KEYS[1], ARGV[i])
  redis.call('HDEL', KEYS[2], ARGV[i])
end
return count
