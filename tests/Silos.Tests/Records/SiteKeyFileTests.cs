using EmrMarket.Analytics.Records;
using EmrMarket.Silos.Records;

namespace EmrMarket.Silos.Tests.Records;

public sealed class SiteKeyFileTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static string Code(Action action) => Assert.Single(Assert.Throws<InputException>(action).Problems).Code;

    [Fact]
    public void New_key_is_random_and_readable_by_its_owner_only()
    {
        string a = _folder.Place("keys/a.key"), b = _folder.Place("keys/b.key");
        SiteKeyFile.Create(a);
        SiteKeyFile.Create(b);
        Assert.Equal(SiteKeyFile.Bytes, SiteKeyFile.Read(a).Length);
        Assert.NotEqual(SiteKeyFile.Read(a), SiteKeyFile.Read(b));
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(a));
        }
    }

    [Fact]
    public void Key_is_never_overwritten()
    {
        string file = _folder.Place("k");
        SiteKeyFile.Create(file);
        byte[] before = File.ReadAllBytes(file);
        Assert.Equal("key-exists", Code(() => SiteKeyFile.Create(file)));
        Assert.Equal(before, File.ReadAllBytes(file));
    }

    [Fact]
    public void Key_that_others_may_read_or_that_is_no_key_is_refused()
    {
        string file = _folder.Place("k");
        SiteKeyFile.Create(file);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
            Assert.Equal("key-readable", Code(() => SiteKeyFile.Read(file)));
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }

        File.WriteAllText(file, "0123");
        Assert.Equal("malformed-key", Code(() => SiteKeyFile.Read(file)));
        Assert.Equal("unreadable-file", Code(() => SiteKeyFile.Read(_folder.Place("none"))));
    }
}
