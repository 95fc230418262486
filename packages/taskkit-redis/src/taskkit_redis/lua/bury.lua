-- uses base records lines queue finished transitions leaving
-- Remove workers whose lease is over and who run nothing anywhere.
--
-- ARGV[3…]  ids
-- Answers those that were removed.

local answer = {}
for place = 3, #ARGV do
  local worker = ARGV[place]
  local expires = call('HGET', P .. 'worker:' .. worker, 'expires')
  if expires and expires <= now and call('EXISTS', P .. 'run:' .. worker) == 0 then
    leaving().strike(worker)
    answer[#answer + 1] = worker
  end
end
return answer
