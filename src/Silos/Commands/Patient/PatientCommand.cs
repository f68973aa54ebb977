using System.CommandLine;

namespace EmrMarket.Silos.Commands.Patient;

/// <summary><c>emr patient</c>: what a patient does with the own records at a site.</summary>
internal static class PatientCommand
{
    private const string Description =
        """
        What patients do: see what settings mean, set them, follow every use of their records, withdraw. The wallet's key signs on this machine and never leaves it.

        Examples:
          emr patient policy                                                     what each profile of the menu means
          emr patient policy --wallet anna.wallet --profile balanced --rate 1 --purpose 2 --quota 2 --until 2027-12-31
          emr patient policy --wallet anna.wallet --pause
          emr patient consent --wallet anna.wallet --out consent.json            the policy as a Consent of HL7 FHIR R4
          emr patient offers --wallet anna.wallet
          emr patient history --wallet anna.wallet --json
          emr patient withdraw --wallet anna.wallet --yes

        Exit codes: 0 done, 1 failed or not allowed, 2 wrong command or input, 75 not ready.
        """;

    /// <summary>The command and its verbs.</summary>
    public static Command Create() =>
        new("patient", Description) { PolicyCommand.Create(), ConsentCommand.Create(), OfferCommands.CreateOffers(),
            OfferCommands.CreateHistory(),
            PolicyCommand.CreateWithdraw(), WalletCommands.Create() };
}
