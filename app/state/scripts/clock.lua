-- The time in milliseconds of Redis, which all replicas share; or as a test gives it.
local function milliseconds(given)
  local told = tonumber(given)
  if told then return told end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
