-- Claim the name of a call.
-- KEYS[1]  hash: fingerprint of the request; token of whoever answers it, or answer once that is there
-- ARGV[1]  fingerprint      ARGV[2]  token      ARGV[3]  milliseconds for which the claim holds without a word
local found = redis.call('HMGET', KEYS[1], 'fingerprint', 'answer')
if not found[1] then
  redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'token', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return { 'leading' }
end
if found[1] ~= ARGV[1] then return { 'different' } end
if found[2] then return { 'answered', found[2] } end
return { 'busy' }
