-- Keep the answer of a call that was claimed, or say that the claim still holds, or give it up.
-- KEYS[1]  as in repeat_claim.lua
-- ARGV[1]  token      ARGV[2]  what to do: keep, hold or drop
-- ARGV[3]  milliseconds for which the answer is kept, or the claim holds      ARGV[4]  the answer
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
if ARGV[2] == 'drop' then return redis.call('DEL', KEYS[1]) end
if ARGV[2] == 'keep' then
  redis.call('HSET', KEYS[1], 'answer', ARGV[4])
  redis.call('HDEL', KEYS[1], 'token')
end
return redis.call('PEXPIRE', KEYS[1], ARGV[3])
