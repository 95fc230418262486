-- uses base
-- ARGV[3]   1: every pause; else those of the groups that follow

if ARGV[3] == '1' then
  call('DEL', P .. 'pauses')
  call(ARGV[2], P .. 'wake', '*')
else
  for place = 4, #ARGV do
    call('HDEL', P .. 'pauses', ARGV[place])
    wake(ARGV[place])
  end
end
tell()
return 1
