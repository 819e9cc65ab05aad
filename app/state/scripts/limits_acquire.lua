-- Take everything that one call asks for, or nothing: a refused call writes nothing.
-- KEYS     for each claim its bucket: a string for a rate, a sorted set of places for a bound on calls at a time
-- ARGV[1]  a name for the places of this call
-- then for each claim five:
--   rate   'rate', 1 if it refuses nobody (shadow), work of the call, work in a full bucket, more work that is wanted
--          (of which it gets what is there, at most half: the others want some as well)
--   places 'place', 1 if it refuses nobody, number of places, microseconds for which one is held, time to wait for one
-- Answers 1 or 0, and for each claim six: time to wait, what is used afterwards, what was taken, and the hold.
local answer, found, refused = { 1 }, {}, false

for i, key in ipairs(KEYS) do
  local at = 5 * i - 3
  local claim = { kind = ARGV[at], a = tonumber(ARGV[at + 2]), b = tonumber(ARGV[at + 3]), c = tonumber(ARGV[at + 4]) }
  if claim.kind == 'rate' then
    claim.served, claim.moved, claim.born = bucket(key)
    claim.used = math.max(0, claim.served - now)
    claim.wait = math.max(0, claim.used + claim.a - claim.b)
  else
    claim.used = redis.call('ZCOUNT', key, '(' .. string.format('%.0f', now), '+inf')
    claim.wait = claim.used < claim.a and 0 or claim.c
  end
  found[i] = claim
  if claim.wait > 0 and ARGV[at + 1] == '0' then refused = true end
end

for i, key in ipairs(KEYS) do
  local claim, taken = found[i], 0
  if not refused and claim.wait == 0 then
    if claim.kind == 'rate' then
      taken = claim.a + math.min(claim.c, math.floor((claim.b - claim.used - claim.a) / 2))
      claim.used = claim.used + taken
      claim.served = now + claim.used
      save(key, claim.served, claim.moved, claim.born)
    else
      taken = 1
      claim.used = claim.used + 1
      redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
      redis.call('ZADD', key, now + claim.b, ARGV[1])
      redis.call('PEXPIRE', key, math.ceil(claim.b / 1000) + SPARE_MS)
    end
  end
  for _, number in ipairs({ claim.wait, claim.used, taken, claim.served or 0, claim.moved or 0, claim.born or 0 }) do
    answer[#answer + 1] = number
  end
end
if refused then answer[1] = 0 end
return answer
