-- Part of claim: when something more becomes claimable by itself.
--
-- From claim: pauses, comes, soonest; from permission: permits.

-- Whether everything under a want is paused: then nothing comes before a pause ends.
local function all_paused(want)
  if pauses['*'] then
    return true
  end
  for _, name in ipairs(lines().lineage(want)) do
    if pauses[name] then
      return true
    end
  end
  return false
end

local function look_ahead(want)
  for name, until_then in pairs(pauses) do
    if until_then ~= '' then
      local under = name == '*'
      for _, above in ipairs(lines().lineage(want)) do
        under = under or above == name
      end
      for _, above in ipairs(lines().lineage(name)) do
        under = under or above == want
      end
      if under then
        comes(until_then)
      end
    end
  end
  if all_paused(want) then
    return
  end
  -- By their dues, until none can come before what was found: what is paused may come after others
  -- that are behind it.
  local from = 0
  while true do
    local page = call('ZRANGE', P .. 'z:' .. want, from, from + 9)
    for _, group in ipairs(page) do
      local permitted, paused = permits(group, want)
      if permitted and paused ~= '' then
        local first = call('ZRANGE', P .. 'w:' .. group, 0, 0)[1]
        if first then
          local due = string.sub(first, 1, 18)
          if soonest and soonest <= due then
            return
          end
          comes(paused and paused > due and paused or due)
          if not paused then
            return
          end
        end
      end
    end
    from = from + #page
    if #page < 10 then
      return
    end
  end
end
