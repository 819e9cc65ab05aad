-- Look at buckets and places without touching them.
-- KEYS     as for taking
-- ARGV     'rate' or 'place' for each key
local answer = {}
for i, key in ipairs(KEYS) do
  if ARGV[i] == 'rate' then
    local served = bucket(key)
    answer[i] = math.max(0, served - now)
  else
    answer[i] = redis.call('ZCOUNT', key, '(' .. string.format('%.0f', now), '+inf')
  end
end
return answer
